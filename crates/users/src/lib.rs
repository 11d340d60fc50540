//! Users: their tables, how log entries become rows, the read side that every role may use, and what proves who somebody is
//! (passwords, access tokens, user-interactive authentication). Writes nothing that a user shard's log decides: that is the userserver.

pub mod account_data;
mod apply;
mod error;
pub mod filter;
pub mod invite_permission;
pub mod key_backup;
pub mod keys;
pub mod password;
pub mod profile;
pub mod push_rules;
mod reader;
pub mod registration_token;
pub mod report;
pub mod shared_secret;
pub mod short_token;
mod tables;
pub mod tags;
pub mod to_device;
pub mod token;
pub mod uia;
pub mod user_id;

pub use apply::UserApplier;
pub use error::ReadError;
pub use password::{PasswordConfig, Passwords};
pub use reader::{AccountData, RoomKeys, UserReader};
pub use shared_secret::SharedSecretRegistration;
pub use short_token::ShortTokens;
pub use tables::TABLES;
pub use token::{AccessToken, TokenHash};
pub use uia::{Operation, UiaSession, UiaSessions};
