//! Who may make an account.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may make an account. With nothing set, nobody may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationConfig {
    /// Anyone may, without any proof (`m.login.dummy`). Such a server is found and abused quickly when it is public.
    pub open: bool,
    /// Whoever knows one of these tokens may (`m.login.registration_token`).
    pub tokens: Vec<RegistrationTokenConfig>,
    /// Policies that must be accepted first (`m.login.terms`).
    pub terms: Vec<PolicyConfig>,
    /// Whether an e-mail address is proved first (`m.login.email.identity`), where `email` is set.
    pub email: RegistrationEmail,
    /// A captcha that must be solved (`m.login.recaptcha`). Accounts are then not made on this server's own page. Unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recaptcha: Option<RecaptchaConfig>,
    /// Guest accounts are allowed.
    pub guests: bool,
    /// A file with a secret that lets its holder make accounts, administrators too, by `/_synapse/admin/v1/register`. Unset: that
    /// endpoint does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_secret_file: Option<PathBuf>,
}

/// Whether whoever registers proves an e-mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationEmail {
    /// They cannot.
    Off,
    /// They may, and can then set a password that they forgot.
    #[default]
    Optional,
    /// They must.
    Required,
}

/// Google's reCAPTCHA (version 2), or a service that speaks the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecaptchaConfig {
    /// The site key, which clients are told.
    pub public_key: String,
    /// A file with the secret key.
    pub private_key_file: PathBuf,
    /// Where `/api.js` and `/api/siteverify` are.
    #[serde(default = "default_captcha_service")]
    pub service_url: String,
}

fn default_captcha_service() -> String {
    "https://www.google.com/recaptcha".to_owned()
}

/// A policy that whoever registers must accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Names the policy, for example `privacy_policy`.
    pub id: String,
    /// Its version. Accounts keep which one was accepted.
    pub version: String,
    /// The text, in at least one language.
    pub documents: Vec<PolicyDocument>,
}

/// A policy in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// A language code, for example `en`.
    pub language: String,
    /// The title.
    pub name: String,
    /// Where it is, beginning with https:// (or http:// in tests).
    pub url: String,
}

/// A token that allows registrations. Exactly one of `token` and `token_file` is set.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationTokenConfig {
    /// The token itself: 1 to 64 characters of `A-Z a-z 0-9 . _ ~ -`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A file that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How many accounts it may make. Unset: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_allowed: Option<u64>,
    /// When it ends, milliseconds since the Unix epoch. Unset: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

impl std::fmt::Debug for RegistrationTokenConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrationTokenConfig")
            .field("token", &self.token.as_ref().map(|_| "<hidden>"))
            .field("token_file", &self.token_file)
            .field("uses_allowed", &self.uses_allowed)
            .field("expires", &self.expires)
            .finish()
    }
}
