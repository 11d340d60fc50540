//! The role `sync`: what changed for a user since a token (client-server specification, "Syncing").
//!
//! - [`tails`] follows every log and keeps the recent past in memory, with an index from rooms to the users who wait.
//! - [`app`] decides what a response says: [`app::sync`] waits and collects, the other files answer for one room each way.
//! - [`source`] reads what the tails do not hold; [`filter`] is what the client asked to be told; [`render`] writes the JSON.
//! - [`lazy`] remembers which members a device has, [`admission`] how many syncs are under way; [`rpc`] speaks gRPC.
//!
//! It owns nothing that outlives a process: any replica answers any token, for a token holds the position in every log.

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
pub mod source;
pub mod tails;
mod trace;

pub use config::SyncConfig;
pub use role::{Parts, SyncRole};
