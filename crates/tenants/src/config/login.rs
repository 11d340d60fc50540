//! How users log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How users log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoginConfig {
    /// Whether `m.login.password` is offered.
    pub password: bool,
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self { password: true }
    }
}
