//! How mails are sent.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mails to users: to prove that an address is theirs, and to set a password that they forgot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Who they come from, for example `Example <no-reply@example.org>`.
    pub from: String,
    /// The server that takes mails (SMTP), a name or an address.
    pub host: String,
    /// Its port. Unset: 465 with `tls = "implicit"`, 587 with `starttls`, 25 with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: SmtpTls,
    /// A file with certificates (PEM) to be trusted beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Who logs in there. Unset: nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// How long sending a mail may take, in milliseconds. Then the request is answered 503.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How long the links in mails work, and how long it counts afterwards that they were opened, in seconds; 60 to 86400.
    #[serde(default = "default_link_seconds")]
    pub link_seconds: u64,
    /// Domains whose addresses users may have (`example.org`). Empty: all.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Hosts that clients may have people led on to when a link was opened (`next_link`). Empty: all, by a link that names the host.
    #[serde(default)]
    pub next_link_hosts: Vec<String>,
    /// Whether whoever asks for a mail is told that an address is, or is not, of an account. Otherwise only the mail says so, and
    /// nobody finds out who has accounts.
    #[serde(default)]
    pub reveal_accounts: bool,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// TLS from the first byte.
    Implicit,
    /// TLS after STARTTLS, which the server must have.
    #[default]
    Starttls,
    /// Not at all: for servers on the same machine.
    None,
}

const fn default_timeout_ms() -> u64 {
    10_000
}

const fn default_link_seconds() -> u64 {
    3_600
}

impl EmailConfig {
    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = match self.tls {
            SmtpTls::Implicit => 465,
            SmtpTls::Starttls => 587,
            SmtpTls::None => 25,
        };
        self.port.unwrap_or(usual)
    }

    /// Whether a user may have an address (canonical).
    #[must_use]
    pub fn allows(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.allowed_domains.is_empty() || self.allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }
}
