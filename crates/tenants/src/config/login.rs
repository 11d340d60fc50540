//! How users log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How users log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoginConfig {
    /// Whether the legacy API logs in and registers at all (`/login`, `/register`). Without it, people sign in by the OAuth 2.0 API only;
    /// sessions that there are go on.
    pub legacy: bool,
    /// Whether `m.login.password` is offered.
    pub password: bool,
    /// Whether a session may let another device log in (`m.login.token`, after confirming with the password).
    pub token: bool,
    /// How long an access token lasts, in seconds, for clients that can refresh it; at least 60. Those of other clients do not end.
    pub access_token_seconds: u64,
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self { legacy: true, password: true, token: true, access_token_seconds: 3600 }
    }
}
