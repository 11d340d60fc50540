//! Configuration of the role.

use banyan_http::Network;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The client-server API. Where it listens is in `http.client`; what a tenant allows is in `tenants`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientApiConfig {
    /// The largest body of a request, in bytes. Larger ones are answered 413 M_TOO_LARGE.
    pub max_body_bytes: usize,
    /// Addresses and networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed. All others are taken for clients.
    pub trusted_proxies: Vec<Network>,
    /// Whether `?access_token=` is taken for a token. The specification dropped it after v1.19; old clients and bots still use it.
    pub access_token_in_query: bool,
    /// How long a request may take, in milliseconds, but for long polls. Then it is answered 503.
    pub request_timeout_ms: u64,
    /// The longest time that a sync waits, in milliseconds, whatever the client asks.
    pub max_sync_timeout_ms: u64,
    /// How long requests may go on when the process ends, in milliseconds.
    pub drain_ms: u64,
    /// How often to look for what a process that ended has left half done (deactivated users who have not left their rooms), in
    /// milliseconds.
    pub resume_interval_ms: u64,
    /// Access tokens remembered at most. A token that is not remembered costs a read.
    pub token_cache: u64,
    /// Callers whose request rates are remembered at most, for each tenant.
    pub rate_limited_callers: u64,
    /// Bytes of room state kept in memory for reads.
    pub state_cache_bytes: u64,
}

impl Default for ClientApiConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            trusted_proxies: Vec::new(),
            access_token_in_query: true,
            request_timeout_ms: 60_000,
            max_sync_timeout_ms: 300_000,
            drain_ms: 10_000,
            resume_interval_ms: 60_000,
            token_cache: 100_000,
            rate_limited_callers: 100_000,
            state_cache_bytes: 32 << 20,
        }
    }
}
