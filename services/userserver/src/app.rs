//! The use cases, one per file.

mod authenticate;
pub(crate) mod change_password;
pub(crate) mod check_password;
mod command;
mod entries;
mod issue_token;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod put_filter;
pub(crate) mod register;
pub(crate) mod set_account_data;
pub(crate) mod set_profile;
pub(crate) mod use_registration_token;
