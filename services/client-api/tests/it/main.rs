//! The client-api role over HTTP, with the owners of rooms and users played by the tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod administration;
mod captcha;
mod dehydrated_device;
mod delayed_events;
mod directory;
mod email;
mod fakes;
mod keys;
mod limits;
mod login_page;
mod notifications;
mod oauth;
mod oauth_account;
mod oauth_devices;
mod old_forms;
mod outage;
mod person;
mod push_rules;
mod pushers;
mod reading;
mod receipts;
mod relations;
mod reports;
mod room;
mod room_keys;
mod rooms;
mod sessions;
mod sliding_sync;
mod spaces;
mod sso;
mod sync;
mod tags;
mod third_party_invites;
mod thirdparty;
mod to_device;
mod tokens;
mod typing;
mod uia;
mod upgrade;
mod user_directory;
mod users;
mod walk;
mod world;
