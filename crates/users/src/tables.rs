//! The tables, one per file.

mod access_token;
mod account;
mod account_data;
mod allowance;
mod browser_session;
mod cross_signing_key;
mod dehydrated_device;
mod delayed_due;
mod delayed_event;
mod delayed_standing;
mod departure;
mod device;
mod device_key;
mod external_id;
mod filter;
mod key_backup;
mod key_backup_newest;
mod key_pool;
mod key_signature;
mod login_token;
mod newest_report;
mod oauth_approval;
mod oauth_client;
mod oauth_code;
mod oauth_device_code;
mod oauth_user_code;
mod one_time_key;
mod openid_token;
mod profile;
mod pusher;
mod pusher_of_key;
mod refresh_token;
mod registration_nonce;
mod registration_token;
mod report;
mod room_key;
mod room_key_count;
mod sso_flow;
mod threepid;
mod to_device;
mod to_device_message;
mod to_device_queue;
mod uia_session;
mod user_name;
mod user_threepid;
mod validation_session;

pub(crate) use access_token::ACCESS_TOKEN;
pub(crate) use account::ACCOUNT;
pub(crate) use account_data::ACCOUNT_DATA;
pub(crate) use allowance::ALLOWANCE;
use banyan_store::Table;
pub(crate) use browser_session::BROWSER_SESSION;
pub(crate) use cross_signing_key::CROSS_SIGNING_KEY;
pub(crate) use dehydrated_device::DEHYDRATED_DEVICE;
pub(crate) use delayed_due::DELAYED_DUE;
pub(crate) use delayed_event::DELAYED_EVENT;
pub(crate) use delayed_standing::DELAYED_STANDING;
pub(crate) use departure::DEPARTURE;
pub(crate) use device::DEVICE;
pub(crate) use device_key::DEVICE_KEY;
pub(crate) use external_id::EXTERNAL_ID;
pub(crate) use filter::FILTER;
pub(crate) use key_backup::KEY_BACKUP;
pub(crate) use key_backup_newest::KEY_BACKUP_NEWEST;
pub(crate) use key_pool::KEY_POOL;
pub(crate) use key_signature::KEY_SIGNATURE;
pub(crate) use login_token::LOGIN_TOKEN;
pub(crate) use newest_report::NEWEST_REPORT;
pub(crate) use oauth_approval::OAUTH_APPROVAL;
pub(crate) use oauth_client::OAUTH_CLIENT;
pub(crate) use oauth_code::OAUTH_CODE;
pub(crate) use oauth_device_code::OAUTH_DEVICE_CODE;
pub(crate) use oauth_user_code::OAUTH_USER_CODE;
pub(crate) use one_time_key::ONE_TIME_KEY;
pub(crate) use openid_token::OPENID_TOKEN;
pub(crate) use profile::PROFILE;
pub(crate) use pusher::PUSHER;
pub(crate) use pusher_of_key::PUSHER_OF_KEY;
pub(crate) use refresh_token::REFRESH_TOKEN;
pub(crate) use registration_nonce::REGISTRATION_NONCE;
pub(crate) use registration_token::REGISTRATION_TOKEN;
pub(crate) use report::REPORT;
pub(crate) use room_key::ROOM_KEY;
pub(crate) use room_key_count::ROOM_KEY_COUNT;
pub(crate) use sso_flow::SSO_FLOW;
pub(crate) use threepid::THREEPID;
pub(crate) use to_device::TO_DEVICE;
pub(crate) use to_device_message::TO_DEVICE_MESSAGE;
pub(crate) use to_device_queue::TO_DEVICE_QUEUE;
pub(crate) use uia_session::UIA_SESSION;
pub(crate) use user_name::USER_NAME;
pub(crate) use user_threepid::USER_THREEPID;
pub(crate) use validation_session::VALIDATION_SESSION;

/// Every table of this crate, for the schema.
pub static TABLES: &[&Table] = &[
    &CROSS_SIGNING_KEY,
    &DEHYDRATED_DEVICE,
    &DEVICE_KEY,
    &KEY_BACKUP,
    &KEY_BACKUP_NEWEST,
    &KEY_POOL,
    &KEY_SIGNATURE,
    &ONE_TIME_KEY,
    &ACCESS_TOKEN,
    &ACCOUNT,
    &ACCOUNT_DATA,
    &DEVICE,
    &FILTER,
    &PROFILE,
    &PUSHER,
    &PUSHER_OF_KEY,
    &REGISTRATION_NONCE,
    &REGISTRATION_TOKEN,
    &DELAYED_DUE,
    &DELAYED_EVENT,
    &DELAYED_STANDING,
    &DEPARTURE,
    &LOGIN_TOKEN,
    &OPENID_TOKEN,
    &REFRESH_TOKEN,
    &NEWEST_REPORT,
    &REPORT,
    &ROOM_KEY,
    &ROOM_KEY_COUNT,
    &TO_DEVICE,
    &TO_DEVICE_MESSAGE,
    &TO_DEVICE_QUEUE,
    &BROWSER_SESSION,
    &OAUTH_APPROVAL,
    &OAUTH_CLIENT,
    &OAUTH_CODE,
    &OAUTH_DEVICE_CODE,
    &OAUTH_USER_CODE,
    &UIA_SESSION,
    &USER_NAME,
    &ALLOWANCE,
    &THREEPID,
    &USER_THREEPID,
    &VALIDATION_SESSION,
    &EXTERNAL_ID,
    &SSO_FLOW,
];
