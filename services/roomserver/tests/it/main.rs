//! The roomserver as its callers see it: its gRPC client over a local transport, on the memory store and the in-process bus.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "helpers of tests are tests too")]

mod alias;
mod create;
mod device_lists;
mod directory;
mod guests;
mod invites;
mod knock;
mod membership;
mod profiles;
mod reading;
mod receipts;
mod redaction;
mod relations;
mod restart;
mod restricted;
mod send;
mod tenants;
mod third_party;
mod typing;
mod unread;
mod upgrade;
mod visibility;
mod world;
