//! The use cases, one per file.

pub(crate) mod acknowledge_to_device;
mod authenticate;
pub(crate) mod change_password;
pub(crate) mod check_password;
pub(crate) mod claim_keys;
mod command;
pub(crate) mod deactivate;
pub(crate) mod delete_devices;
mod end_devices;
mod entries;
mod issue_token;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod moderate_account;
pub(crate) mod move_fully_read;
pub(crate) mod put_filter;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod send_to_device;
pub(crate) mod set_account_data;
pub(crate) mod set_profile;
pub(crate) mod to_device_queue;
pub(crate) mod update_device;
pub(crate) mod upload_cross_signing_keys;
pub(crate) mod upload_keys;
pub(crate) mod upload_signatures;
pub(crate) mod use_registration_token;
