//! Tenants: server names with their signing keys and policies. Knows which of our server names a request is for and what that
//! server name allows; knows nothing of users or rooms.

pub mod config;
mod error;
mod host;
mod key;
mod key_file;
mod key_store;
mod tables;
mod tenant;
mod tenants;

pub use config::TenantConfig;
pub use error::TenantError;
pub use key::{OldVerifyKey, ServerKey};
pub use tables::TABLES;
pub use tenant::{RegistrationToken, Tenant};
pub use tenants::Tenants;
