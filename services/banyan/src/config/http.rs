//! The public listeners.

use std::net::{Ipv4Addr, SocketAddr};

use banyan_http::ListenConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Public listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    /// The client-server API (role client-api).
    pub(crate) client: ListenConfig,
    /// The server-server API (role federation-api). Other servers expect TLS, from here or from a proxy in front.
    pub(crate) federation: ListenConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let loopback = |port| ListenConfig::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self { client: loopback(8008), federation: loopback(8448) }
    }
}
