//! Signing in through another server.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An OpenID Connect provider whose users can sign in. Register `<base_url>/oauth2/sso/callback/<id>` there as the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SsoProviderConfig {
    /// Names it in addresses and in the store: characters of `A-Z a-z 0-9 . _ ~ -`. Never change it once somebody signed in.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Its brand, for clients that have pictures of some (`github`, `google`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Its issuer identifier, beginning with https:// (or http:// in tests). What it can do is read from there.
    pub issuer: String,
    /// What it knows this server by.
    pub client_id: String,
    /// A file with the secret that goes with it. Unset: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// What is asked of it beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Whether accounts are made for people who come for the first time, under the `preferred_username` that the provider tells, or
    /// one that they choose.
    #[serde(default = "yes")]
    pub create_accounts: bool,
    /// Whether an account that is there already belongs to whoever the provider knows by the same `preferred_username`. Only for
    /// providers whose users cannot choose that name themselves.
    #[serde(default)]
    pub existing_accounts: bool,
}

fn default_scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

const fn yes() -> bool {
    true
}
