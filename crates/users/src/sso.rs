//! Signing in through an upstream provider (specification: "SSO client login/authentication"): people who are on their way, and whose
//! accounts they have.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ServiceError};
use banyan_proto::users::{ExternalIdRow, SsoFlowRow};
use banyan_store::{Key, Store, key};
use bytes::Bytes;
use subtle::ConstantTimeEq as _;

use crate::{
    TokenHash,
    conditional::ConditionalRows,
    tables::{EXTERNAL_ID, SSO_FLOW},
};

/// Keeps people who are on their way.
#[derive(Clone)]
pub struct SsoFlows {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Somebody who sets out or comes back.
#[derive(Clone)]
pub struct SsoFlow {
    /// Server name of the tenant.
    pub tenant: String,
    /// Id of the provider.
    pub provider: String,
    /// The page where they go on.
    pub next: String,
    /// What the provider's statement has to repeat.
    pub nonce: String,
    /// Proves to the provider who asks (RFC 7636).
    pub verifier: String,
    /// Who the provider says they are; empty until they came back.
    pub subject: String,
}

impl std::fmt::Debug for SsoFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SsoFlow").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SsoFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SsoFlows")
    }
}

impl SsoFlows {
    /// How long somebody may be on their way.
    pub const LIFETIME: Duration = Duration::from_secs(20 * 60);

    /// Keeps them in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { rows: ConditionalRows::new(store, &SSO_FLOW), clock, entropy }
    }

    /// Somebody whose browser has `cookie` sets out to a provider: what is to be remembered of it.
    #[must_use]
    pub fn new_flow(&self, tenant: &str, provider: &str, next: &str) -> SsoFlow {
        SsoFlow {
            tenant: tenant.to_owned(),
            provider: provider.to_owned(),
            next: next.to_owned(),
            nonce: self.entropy.alphanumeric(32),
            verifier: self.entropy.alphanumeric(64),
            subject: String::new(),
        }
    }

    /// Remembers somebody, and answers the secret that they come back with.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keep(&self, flow: &SsoFlow, cookie: &str) -> Result<String, ServiceError> {
        let state = self.entropy.alphanumeric(40);
        let lifetime = i64::try_from(Self::LIFETIME.as_micros()).unwrap_or(i64::MAX / 2);
        let row = SsoFlowRow {
            tenant: flow.tenant.clone(),
            provider: flow.provider.clone(),
            nonce: flow.nonce.clone(),
            verifier: flow.verifier.clone(),
            cookie_hash: Bytes::copy_from_slice(TokenHash::of(cookie).as_bytes()),
            next: flow.next.clone(),
            expires: self.clock.now().0.saturating_add(lifetime),
            subject: flow.subject.clone(),
        };
        if self.rows.insert(&partition(&state), &row, Some(Self::LIFETIME)).await? {
            return Ok(state);
        }
        Err(ServiceError::internal("a random state was there already"))
    }

    /// Whoever comes back with a secret, in the browser that set out, once. `None` for everybody else.
    ///
    /// # Errors
    /// The store failed.
    pub async fn take(&self, tenant: &str, state: &str, cookie: &str) -> Result<Option<SsoFlow>, ServiceError> {
        let partition = partition(state);
        let Some(stored) = self.rows.read::<SsoFlowRow>(&partition).await? else { return Ok(None) };
        let row = stored.row.clone();
        let same_browser: bool = row.cookie_hash.ct_eq(TokenHash::of(cookie).as_bytes()).into();
        if row.tenant != tenant
            || row.expires <= self.clock.now().0
            || !same_browser
            || !self.rows.take(&partition, &stored).await?
        {
            return Ok(None);
        }
        let SsoFlowRow { tenant, provider, nonce, verifier, next, subject, .. } = row;
        Ok(Some(SsoFlow { tenant, provider, next, nonce, verifier, subject }))
    }
}

/// Whose accounts people of upstream providers have.
#[derive(Clone)]
pub struct ExternalIds {
    rows: ConditionalRows,
}

impl std::fmt::Debug for ExternalIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExternalIds")
    }
}

impl ExternalIds {
    /// Keeps them in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { rows: ConditionalRows::new(store, &EXTERNAL_ID) }
    }

    /// The account of somebody, or the one that is about to be made for them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, flow: &SsoFlow) -> Result<Option<ExternalIdRow>, ServiceError> {
        Ok(self.rows.read::<ExternalIdRow>(&person(flow)).await?.map(|stored| stored.row))
    }

    /// Says which account somebody has, or is about to have. One that they have already stays: answers what is there now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn assign(&self, flow: &SsoFlow, user_id: &str, made: bool) -> Result<ExternalIdRow, ServiceError> {
        let partition = person(flow);
        let row = ExternalIdRow { user_id: user_id.to_owned(), made };
        loop {
            let written = match self.rows.read::<ExternalIdRow>(&partition).await? {
                None => self.rows.insert(&partition, &row, None).await?,
                Some(stored) if stored.row.made || stored.row == row => return Ok(stored.row),
                Some(stored) => self.rows.replace(&partition, &stored, &row, None).await?,
            };
            if written {
                return Ok(row);
            }
        }
    }
}

/// How an account says that it was made for somebody of a provider.
#[must_use]
pub fn external_id(flow: &SsoFlow) -> String {
    format!("{}/{}", flow.provider, flow.subject)
}

fn person(flow: &SsoFlow) -> Key {
    key![flow.tenant.as_str(), flow.provider.as_str(), flow.subject.as_str()]
}

fn partition(state: &str) -> Key {
    key![TokenHash::of(state).as_bytes().as_slice()]
}
