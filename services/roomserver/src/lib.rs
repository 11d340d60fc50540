//! The roomserver: owns rooms and room aliases, and is the only one that adds to their logs.
//!
//! [`Roomserver`] is the role: a gRPC service and a [`banyan_runtime::ShardHost`]. Inside, `rpc` unpacks and wraps, `app` has the use
//! cases, one file each, and `actor` the shards with the rooms they hold in memory, each of which has one turn at a time. Reads by others
//! go to the tables ([`banyan_rooms::reader::RoomReader`]).

mod actor;
mod app;
mod config;
mod content;
mod errors;
mod host;
mod metrics;
mod parts;
mod push;
mod rpc;
mod signers;

pub use config::RoomserverConfig;
pub use host::Roomserver;
pub use parts::{RoomserverParts, SetupError};

pub use banyan_rooms::tables::TABLES;
