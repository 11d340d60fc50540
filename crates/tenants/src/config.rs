//! How a tenant is configured.

mod delayed_events;
mod email;
mod identity_server;
mod limits;
mod login;
mod oauth;
mod registration;
mod sso;
mod support;

use std::path::PathBuf;

pub use delayed_events::DelayedEventsConfig;
pub use email::{EmailConfig, SmtpTls};
pub use identity_server::IdentityServerConfig;
pub use limits::{RateLimit, RateLimits};
pub use login::LoginConfig;
pub use oauth::OauthConfig;
pub use registration::{
    PolicyConfig, PolicyDocument, RecaptchaConfig, RegistrationConfig, RegistrationEmail, RegistrationTokenConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use sso::SsoProviderConfig;
pub use support::{SupportConfig, SupportContact};

/// The room versions that rooms can be made in.
pub const ROOM_VERSIONS: [&str; 3] = ["10", "11", "12"];

/// One tenant: a server name and what it allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// The server name: what stands behind the colon in user ids. Never change it once there are users.
    pub server_name: String,

    /// Further Host headers that pick this tenant, with or without a port. The server name itself always does. `*` picks it for every
    /// host that no other tenant names; at most one tenant may have that.
    #[serde(default)]
    pub hosts: Vec<String>,

    /// Where clients reach this tenant, for `/.well-known/matrix/client` (for example `https://matrix.example.org`). Unset: that
    /// document does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,

    /// Where other servers reach this tenant, for `/.well-known/matrix/server` (for example `matrix.example.org:443`). Unset: that
    /// document does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation_server: Option<String>,

    /// Who helps, for `/.well-known/matrix/support`. Unset: that document does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<SupportConfig>,

    /// Who may make an account.
    #[serde(default)]
    pub registration: RegistrationConfig,

    /// How users log in.
    #[serde(default)]
    pub login: LoginConfig,

    /// How apps let their users sign in on this server's pages.
    #[serde(default)]
    pub oauth: OauthConfig,

    /// Mails to users. Unset: none are sent, and accounts have no e-mail addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailConfig>,

    /// Upstream OpenID Connect providers whose users sign in here. They need the OAuth 2.0 API.
    #[serde(default)]
    pub sso: Vec<SsoProviderConfig>,
    /// Identity servers that users may invite people through by their e-mail addresses. None: nobody is invited so.
    #[serde(default)]
    pub identity_servers: Vec<IdentityServerConfig>,

    /// The version of rooms made without naming one: 10, 11 or 12.
    #[serde(default = "default_room_version")]
    pub default_room_version: String,

    /// Whether users forget rooms as soon as they are out of them, by whoever's doing (`m.forget_forced_upon_leave`). Otherwise they
    /// see what they could see until they forget it themselves.
    #[serde(default)]
    pub forget_rooms_upon_leave: bool,

    /// How often users and addresses may do things.
    #[serde(default)]
    pub rate_limits: RateLimits,

    /// Events that users want to be sent later.
    #[serde(default)]
    pub delayed_events: DelayedEventsConfig,

    /// A file with the ed25519 signing key: PKCS#8 in PEM, or one line `ed25519 <name> <base64>`. Unset: a key is made at the first
    /// start and kept in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<PathBuf>,

    /// Keys that signed in the past and no longer do, so that other servers can still check old events. Keys this installation
    /// kept in its store are listed without being named here.
    #[serde(default)]
    pub old_verify_keys: Vec<OldVerifyKeyConfig>,
}

/// A key that signed in the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldVerifyKeyConfig {
    /// For example `ed25519:a_x7Kq`.
    pub key_id: String,
    /// The public key, 32 bytes in unpadded base64.
    pub public_key: String,
    /// When it stopped signing, milliseconds since the Unix epoch.
    pub expired_ts: i64,
}

fn default_room_version() -> String {
    "12".to_owned()
}

impl TenantConfig {
    /// Where the identity server of a name is, if it is trusted.
    #[must_use]
    pub fn identity_server(&self, name: &str) -> Option<String> {
        self.identity_servers.iter().find(|server| server.name == name).map(IdentityServerConfig::address)
    }

    /// A tenant with every default.
    #[must_use]
    pub fn new(server_name: impl Into<String>) -> Self {
        Self {
            server_name: server_name.into(),
            hosts: Vec::new(),
            base_url: None,
            federation_server: None,
            support: None,
            registration: RegistrationConfig::default(),
            login: LoginConfig::default(),
            oauth: OauthConfig::default(),
            email: None,
            sso: Vec::new(),
            identity_servers: Vec::new(),
            default_room_version: default_room_version(),
            forget_rooms_upon_leave: false,
            rate_limits: RateLimits::default(),
            delayed_events: DelayedEventsConfig::default(),
            signing_key_file: None,
            old_verify_keys: Vec::new(),
        }
    }
}
