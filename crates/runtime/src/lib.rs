//! What every process of Banyan has, whatever its roles: configuration, discovery, ownership of shards, calls between processes,
//! health, telemetry and an orderly end. It knows nothing of Matrix.
//!
//! A program reads its configuration ([`config`]), sets up [`telemetry`], prepares a [`Runtime`], builds its roles from the
//! [`Context`], starts, and waits for the end.

pub mod admin;
pub mod config;
mod context;
mod discovery;
pub mod grpc;
pub mod health;
mod installation;
mod membership;
mod node;
mod owners;
mod ownership;
mod peers;
mod roles;
mod router;
mod runtime;
mod shard_host;
pub mod shutdown;
pub mod telemetry;

pub use context::Context;
pub use discovery::{BEAT_SUBJECT, Discovery};
pub use health::Health;
pub use installation::{Identity, InstallationError, TABLES};
pub use membership::{Membership, NodeInfo};
pub use ownership::Ownership;
pub use peers::{MAX_MESSAGE_BYTES, Peers, PingOutcome};
pub use roles::{ParseRoleError, Role};
pub use router::{CALL_DEADLINE, ShardRouter};
pub use runtime::{Parts, Running, Runtime, StartError};
pub use shard_host::ShardHost;
pub use shutdown::{Shutdown, Stage};
pub use telemetry::Telemetry;
