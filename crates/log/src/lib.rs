//! Shard logs: the order and the durability of everything. Claim, append with group commit, apply, publish, follow, retire.
//! docs/architecture.md, "Shard logs", has the rules and the failures that each of them prevents.
//!
//! - [`Logs`] makes the other two: [`Logs::claim`] an [`OwnedLog`], [`Logs::follow`] a [`Follower`].
//! - An [`OwnedLog`] takes [`Proposal`]s and gives them a place; an [`Applier`] says which [`DerivedRow`]s follow from an [`Entry`].
//! - A [`Follower`] sees the entries in order, once they are applied; [`Cursors`] keep how far a durable one came.

mod applier;
mod apply;
mod background;
mod claim;
mod commit;
mod config;
mod cursors;
mod entry;
mod error;
mod follower;
mod header;
mod hint;
mod logs;
mod metrics;
mod owned;
mod pending;
mod place;
mod queue;
mod requests;
mod retry;
mod shared;
mod signal;
#[cfg(test)]
mod sim;
mod sources;
pub mod tables;
mod trace;

pub use applier::{Applier, DerivedRow};
pub use config::LogConfig;
pub use cursors::{Cursors, SourceCursor};
pub use entry::{Entry, Proposal, Source};
pub use error::{ClaimError, FollowError, LogError, LostReason};
pub use follower::{FollowBatch, Follower};
pub use logs::{Logs, Node};
pub use owned::OwnedLog;
pub use pending::{Committed, Pending};
