//! The userserver over real shard logs on the memory store.

mod account_data;
mod filter;
mod login;
mod logout;
mod password;
mod profile;
mod register;
mod registration_token;
mod restart;
mod secrets;
mod to_device;
mod world;
