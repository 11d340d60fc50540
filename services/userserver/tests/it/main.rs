//! The userserver over real shard logs on the memory store.

mod account_data;
mod deactivate;
mod fan_out;
mod filter;
mod fully_read;
mod keys;
mod login;
mod logout;
mod moderate;
mod oauth;
mod password;
mod profile;
mod push_rules;
mod pushers;
mod refresh;
mod register;
mod registration_token;
mod reports;
mod restart;
mod room_keys;
mod secrets;
mod tags;
mod threepids;
mod to_device;
mod world;
