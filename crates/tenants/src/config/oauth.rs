//! The OAuth 2.0 API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The OAuth 2.0 API, which lets people sign in to apps on pages of this server (specification: Client-Server API, "OAuth 2.0 API"). It
/// needs the tenant's `base_url`, below which its pages are (`/oauth2/`). The legacy API works beside it: see `login.legacy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OauthConfig {
    /// Whether it is offered where there is a `base_url`.
    pub enabled: bool,
    /// Whether devices without a browser may be let in by typing their code elsewhere (the device authorization grant).
    pub device_grant: bool,
}

impl Default for OauthConfig {
    fn default() -> Self {
        Self { enabled: true, device_grant: true }
    }
}
