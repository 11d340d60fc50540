//! Who helps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content of `/.well-known/matrix/support` (specification: Client-Server API, "Getting support"). At least one contact or the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SupportConfig {
    /// People to turn to.
    pub contacts: Vec<SupportContact>,
    /// A page with help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_page: Option<String>,
}

/// A person or group to turn to. At least one of `matrix_id` and `email_address` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SupportContact {
    /// `m.role.admin`, `m.role.security`, `m.role.moderator`, `m.role.dpo`, or a role of your own.
    pub role: String,
    /// Their Matrix user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_id: Option<String>,
    /// Their e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
    /// Their OpenPGP key, as a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pgp_key: Option<String>,
}
