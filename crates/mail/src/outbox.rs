//! The mail servers of all tenants.

use std::{collections::HashMap, fmt, sync::Arc};

use banyan_core::{Clock, Entropy, ServiceError};
use banyan_tenants::Tenants;
use lettre::Address;
use opentelemetry::{KeyValue, metrics::Counter};
use tokio::sync::Semaphore;

use crate::{
    Mail,
    mailer::{Mailer, SetupError},
};

/// Mails on their way at once. Whoever is one too many is told so.
const AT_ONCE: usize = 64;

/// Sends mails.
pub struct Outbox {
    mailers: HashMap<String, Mailer>,
    room: Semaphore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    mails: Counter<u64>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("mailers", &self.mailers).finish_non_exhaustive()
    }
}

impl Outbox {
    /// For every tenant that sends mails.
    ///
    /// # Errors
    /// An option of a tenant is wrong.
    pub fn new(tenants: &Tenants, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, SetupError> {
        let mut mailers = HashMap::new();
        for tenant in tenants.iter() {
            if let Some(config) = &tenant.config().email {
                mailers.insert(tenant.name().to_string(), Mailer::new(tenant, config)?);
            }
        }
        let mails = opentelemetry::global::meter("banyan")
            .u64_counter("banyan.mail.mails")
            .with_description("Mails to users, by outcome")
            .build();
        Ok(Self { mailers, room: Semaphore::new(AT_ONCE), clock, entropy, mails })
    }

    /// Sends a mail of `tenant` and waits until the mail server has taken it, for as long as the tenant's configuration says.
    ///
    /// # Errors
    /// The mail server is away, slow, or refused it (all `Unavailable`; the log says which); or too many are on their way.
    pub async fn send(&self, tenant: &str, to: Address, mail: Mail<'_>) -> Result<(), ServiceError> {
        let mailer = self.mailers.get(tenant).ok_or_else(|| ServiceError::unavailable("this tenant sends no mails"))?;
        let _place = self.room.try_acquire().map_err(|_| ServiceError::unavailable("too many mails are being sent"))?;
        let sent = mailer.send(to, mail.letter(tenant), self.clock.now(), &*self.entropy).await;
        let outcome = if sent.is_ok() { "sent" } else { "failed" };
        self.mails.add(1, &[KeyValue::new("outcome", outcome)]);
        sent.map_err(|error| ServiceError::unavailable(format!("a mail of {tenant} was not sent: {}", chain(&error))))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
