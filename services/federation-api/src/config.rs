//! Configuration of the role.

use banyan_http::Network;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The server-server API. Where it listens, and with which certificate, is in `http.federation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FederationApiConfig {
    /// The largest body of a request, in bytes. Larger ones are answered 413 M_TOO_LARGE.
    pub max_body_bytes: usize,
    /// Addresses and networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How long a request may take, in milliseconds. Then it is answered 503.
    pub request_timeout_ms: u64,
    /// How long requests may go on when the process ends, in milliseconds.
    pub drain_ms: u64,
    /// For how long other servers may rely on the signing keys they fetched, in seconds. At most 7 days count.
    pub key_validity_seconds: u64,
}

impl Default for FederationApiConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 10 << 20,
            trusted_proxies: Vec::new(),
            request_timeout_ms: 60_000,
            drain_ms: 10_000,
            key_validity_seconds: 24 * 3600,
        }
    }
}
