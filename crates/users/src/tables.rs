//! The tables, one per file.

mod access_token;
mod account;
mod account_data;
mod departure;
mod device;
mod filter;
mod login_token;
mod openid_token;
mod profile;
mod refresh_token;
mod registration_nonce;
mod registration_token;
mod to_device;
mod to_device_message;
mod to_device_queue;
mod uia_session;

pub(crate) use access_token::ACCESS_TOKEN;
pub(crate) use account::ACCOUNT;
pub(crate) use account_data::ACCOUNT_DATA;
use banyan_store::Table;
pub(crate) use departure::DEPARTURE;
pub(crate) use device::DEVICE;
pub(crate) use filter::FILTER;
pub(crate) use login_token::LOGIN_TOKEN;
pub(crate) use openid_token::OPENID_TOKEN;
pub(crate) use profile::PROFILE;
pub(crate) use refresh_token::REFRESH_TOKEN;
pub(crate) use registration_nonce::REGISTRATION_NONCE;
pub(crate) use registration_token::REGISTRATION_TOKEN;
pub(crate) use to_device::TO_DEVICE;
pub(crate) use to_device_message::TO_DEVICE_MESSAGE;
pub(crate) use to_device_queue::TO_DEVICE_QUEUE;
pub(crate) use uia_session::UIA_SESSION;

/// Every table of this crate, for the schema.
pub static TABLES: &[&Table] = &[
    &ACCESS_TOKEN,
    &ACCOUNT,
    &ACCOUNT_DATA,
    &DEVICE,
    &FILTER,
    &PROFILE,
    &REGISTRATION_NONCE,
    &REGISTRATION_TOKEN,
    &TO_DEVICE,
    &TO_DEVICE_MESSAGE,
    &TO_DEVICE_QUEUE,
    &DEPARTURE,
    &LOGIN_TOKEN,
    &OPENID_TOKEN,
    &REFRESH_TOKEN,
    &UIA_SESSION,
];
