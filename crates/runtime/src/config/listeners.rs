//! The public HTTP listeners.

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigErrors;

/// The public HTTP listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The client-server API (role `client-api`).
    pub client: ClientListenerConfig,
    /// The server-server API (role `federation-api`).
    pub federation: FederationListenerConfig,
}

/// Where clients connect. Plain HTTP: put a reverse proxy that speaks TLS in front of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientListenerConfig {
    /// Address and port.
    pub listen: SocketAddr,
}

impl Default for ClientListenerConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8008)) }
    }
}

/// Where other homeservers connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FederationListenerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The certificate chain, PEM. Without it and `tls_key_file` the listener speaks plain HTTP, for a proxy in front of it.
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub tls_key_file: Option<PathBuf>,
}

impl Default for FederationListenerConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8448)), tls_certificate_file: None, tls_key_file: None }
    }
}

impl HttpConfig {
    /// Reports what contradicts itself; `path` is where this section stands, for example `http`.
    pub fn check(&self, path: &str, errors: &mut ConfigErrors) {
        let (missing, given) = match (&self.federation.tls_certificate_file, &self.federation.tls_key_file) {
            (Some(_), None) => ("tls_key_file", "tls_certificate_file"),
            (None, Some(_)) => ("tls_certificate_file", "tls_key_file"),
            _ => return,
        };
        errors.add(format!("{path}.federation.{missing}"), format!("needed because {given} is given"));
    }
}
