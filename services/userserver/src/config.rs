//! What an operator may set.

use banyan_users::PasswordConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the userserver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserserverConfig {
    /// How passwords are hashed.
    pub passwords: PasswordConfig,
}
