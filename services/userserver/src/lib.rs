//! The userserver: owns accounts, devices, access tokens, profiles, account data, filters and the uses of registration tokens, and is the
//! only one that adds to user shards' logs.
//!
//! [`Userserver`] is the role: a gRPC service and a [`banyan_runtime::ShardHost`]. Inside, `rpc` unpacks and wraps, `app` has the use
//! cases, one file each, and `shard` what an owned shard adds to its log: one command of a user at a time. It keeps no copy of any user in
//! memory: it reads the rows that its own entries became, and those are written before a command is answered. Reads by others go to the
//! tables ([`banyan_users::UserReader`]).

mod app;
mod attempts;
pub mod calls;
mod config;
mod fan_out;
mod host;
mod metrics;
mod parts;
mod rpc;
mod schedule;
mod shard;

pub use banyan_users::TABLES;
pub use config::UserserverConfig;
pub use host::Userserver;
pub use parts::{SetupError, UserserverParts};
