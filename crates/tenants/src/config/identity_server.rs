//! Identity servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An identity server that users may invite people through by their e-mail addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityServerConfig {
    /// What clients call it (`id_server`), for example `vector.im`.
    pub name: String,
    /// Where it is. Unset: `https://` and its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl IdentityServerConfig {
    /// Where it is, without a slash at its end.
    #[must_use]
    pub fn address(&self) -> String {
        self.url.as_deref().map_or_else(|| format!("https://{}", self.name), |url| url.trim_end_matches('/').to_owned())
    }
}
