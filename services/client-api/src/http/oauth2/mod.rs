//! Below `/oauth2`: endpoints that apps call, and pages that people see.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod authorize;
pub(crate) mod browser;
pub(crate) mod clients;
pub(crate) mod continue_to_app;
pub(crate) mod create;
pub(crate) mod device;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod revoke;
pub(crate) mod sso;
pub(crate) mod token;
