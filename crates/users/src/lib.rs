//! Users: their tables, how log entries become rows, the read side that every role may use, and what proves who somebody is
//! (passwords, access tokens, user-interactive authentication, OAuth 2.0 grants). Writes nothing that a user shard's log decides: that is the userserver.

pub mod account_data;
pub mod allowance;
mod apply;
pub mod browser;
mod conditional;
pub mod delayed_events;
mod error;
pub mod filter;
pub mod invite_permission;
pub mod key_backup;
pub mod keys;
pub mod oauth;
pub mod password;
pub mod profile;
pub mod push_rules;
pub mod pusher;
mod reader;
pub mod registration_token;
pub mod report;
pub mod shared_secret;
pub mod short_token;
pub mod sso;
mod tables;
pub mod tags;
pub mod threepid;
pub mod to_device;
pub mod token;
pub mod uia;
pub mod user_id;
pub mod user_search;
pub mod validation;

pub use allowance::Allowances;
pub use apply::UserApplier;
pub use browser::{BrowserSession, BrowserSessions};
pub use error::ReadError;
pub use oauth::{OauthApprovals, OauthClients, OauthCodes, OauthDevices};
pub use password::{PasswordConfig, Passwords};
pub use reader::{AccountData, IGNORED_USERS, NamedUsers, Notifying, PusherKey, RoomKeys, ShownProfile, UserReader, UserThreepid};
pub use shared_secret::SharedSecretRegistration;
pub use short_token::ShortTokens;
pub use sso::{ExternalIds, SsoFlow, SsoFlows};
pub use tables::TABLES;
pub use token::{AccessToken, TokenHash};
pub use uia::{Operation, UiaSession, UiaSessions};
pub use validation::ValidationSessions;
