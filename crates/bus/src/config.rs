//! Which bus, and how to reach it.

use std::{path::PathBuf, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bus, BusError, LocalBus, NatsBus};

/// The event bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// Which bus: `local` when one process runs every role, `nats` for more than one process.
    pub kind: BusKind,
    /// How to reach NATS, with `kind = "nats"`.
    pub nats: NatsConfig,
}

/// The kinds of bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// Channels within this process.
    #[default]
    Local,
    /// NATS core publish and subscribe.
    Nats,
}

/// How to reach NATS. Nothing is stored there: no JetStream is used, and a lost server costs latency only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    /// The servers, `nats://host:port` or `tls://host:port`; others of their cluster are found by themselves.
    pub servers: Vec<String>,
    /// User name; goes with `password_file`.
    pub user: Option<String>,
    /// A file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// A file that holds an access token.
    pub token_file: Option<PathBuf>,
    /// A `.creds` file (a JWT and an nkey seed), as made by the NATS tools.
    pub credentials_file: Option<PathBuf>,
    /// Refuse to speak without TLS.
    pub require_tls: bool,
    /// A file of PEM certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            user: None,
            password_file: None,
            token_file: None,
            credentials_file: None,
            require_tls: false,
            ca_file: None,
        }
    }
}

/// Opens the configured bus. With NATS this returns although no server answers: it is connected to as soon as one does.
///
/// # Errors
/// [`BusError::Setup`] when the configuration contradicts itself or a secret's file cannot be read.
pub async fn open(config: &BusConfig) -> Result<Arc<dyn Bus>, BusError> {
    Ok(match config.kind {
        BusKind::Local => Arc::new(LocalBus::new()),
        BusKind::Nats => Arc::new(NatsBus::open(&config.nats).await?),
    })
}
