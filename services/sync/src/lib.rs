//! The role `sync`: what changed for a user since a token (client-server specification, "Syncing").
//!
//! - [`tails`] follows every log and keeps the recent past in memory, with an index from rooms to the users who wait.
//! - [`app`] decides what a response says: [`app::sync`] waits and collects, the other files answer for one room each way.
//! - [`sliding`] is the other way to sync, in windows of the list of rooms (MSC4186), over the same tails.
//! - [`source`] reads what the tails do not hold; [`filter`] is what the client asked to be told; [`render`] writes the JSON.
//! - [`lazy`] remembers which members a device has, [`admission`] how many syncs are under way; [`rpc`] speaks gRPC.
//!
//! Any replica answers any token, for a token holds the position in every log. All that outlives a process are the rows that say what
//! connections of sliding sync were sent.

pub mod admission;
pub mod app;
pub mod calls;
pub mod config;
pub mod error;
pub mod filter;
pub mod lazy;
pub mod metrics;
pub mod render;
mod role;
pub mod rpc;
pub mod sliding;
pub mod source;
pub mod tails;
mod trace;

pub use config::SyncConfig;
pub use role::{Parts, SyncRole};
pub use sliding::TABLES;
