//! One tenant's mail server.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use banyan_core::{Entropy, TimestampMicros};
use banyan_tenants::{
    Tenant,
    config::{EmailConfig, SmtpTls},
};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart, MultiPartKind, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::letter::Letter;

/// Mails cannot be sent as a tenant is configured.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An option is wrong.
    #[error("tenant {tenant}: email.{option}: {problem}")]
    Option {
        /// The tenant's server name.
        tenant: String,
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificates cannot be read.
    #[error("tenant {tenant}: email.ca_file: cannot read {}: {source}", path.display())]
    File {
        /// The tenant's server name.
        tenant: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A mail was not sent, or perhaps it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the mail server took too long")]
    Late,
    #[error(transparent)]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
}

/// Sends the mails of one tenant.
#[derive(Debug)]
pub(crate) struct Mailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    timeout: Duration,
}

impl Mailer {
    pub(crate) fn new(tenant: &Tenant, config: &EmailConfig) -> Result<Self, SetupError> {
        let name = tenant.name().as_str();
        let wrong = |option, problem: String| SetupError::Option { tenant: name.to_owned(), option, problem };
        let from: Mailbox = config.from.parse().map_err(|error| wrong("from", format!("{error}")))?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port())
            .tls(tls(name, config)?)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(timeout));
        if let (Some(username), Some(password)) = (&config.username, tenant.smtp_password()) {
            builder = builder.credentials(Credentials::new(username.clone(), password.to_owned()));
        }
        Ok(Self { from, transport: builder.build(), timeout })
    }

    /// Sends a letter; `now` dates it.
    pub(crate) async fn send(
        &self,
        to: Address,
        letter: Letter,
        now: TimestampMicros,
        entropy: &dyn Entropy,
    ) -> Result<(), SendError> {
        let message = self.message(to, letter, now, entropy)?;
        tokio::time::timeout(self.timeout, self.transport.send(message)).await.map_err(|_| SendError::Late)??;
        Ok(())
    }

    fn message(
        &self,
        to: Address,
        letter: Letter,
        now: TimestampMicros,
        entropy: &dyn Entropy,
    ) -> Result<Message, lettre::error::Error> {
        let since_epoch = Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
        let id = format!("<{}@{}>", entropy.lowercase(24), self.from.email.domain());
        let body = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(entropy.alphanumeric(32))
            .singlepart(SinglePart::plain(letter.text))
            .singlepart(SinglePart::html(letter.html));
        // So that nobody's holiday notice answers it (RFC 3834).
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(id))
            .raw_header(automatic)
            .multipart(body)
    }
}

fn tls(tenant: &str, config: &EmailConfig) -> Result<Tls, SetupError> {
    if config.tls == SmtpTls::None {
        return Ok(Tls::None);
    }
    let wrong = |problem: lettre::transport::smtp::Error| SetupError::Option {
        tenant: tenant.to_owned(),
        option: "tls",
        problem: problem.to_string(),
    };
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let read = std::fs::read(path);
        let pem = read.map_err(|source| SetupError::File { tenant: tenant.to_owned(), path: path.clone(), source })?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(wrong)?);
    }
    let parameters = parameters.build_rustls().map_err(wrong)?;
    Ok(if config.tls == SmtpTls::Implicit { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}
