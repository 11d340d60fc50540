//! Shard logs: the order and the durability of everything. Claim, append with group commit, apply, publish, follow, retire.
//! docs/architecture.md, "Shard logs", has the rules and the failures that each of them prevents.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, RequestId, ShardId, TimestampMicros};
use banyan_store::{Key, Table, Write};
use bytes::Bytes;

/// An entry as committed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub log: LogId,
    pub seq: LogSeq,
    pub timestamp: TimestampMicros,
    /// The command that caused it, and the position among the entries of that command.
    pub request: Option<(RequestId, u32)>,
    /// Shards of the other kind whose followers must look at it.
    pub targets: Vec<ShardId>,
    pub source: Option<Source>,
    pub traceparent: String,
    pub body: Bytes,
}

/// Where an entry that a follower produced came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub log: LogId,
    pub seq: LogSeq,
    pub part: u32,
}

/// An entry to be.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    pub request_id: Option<RequestId>,
    pub targets: BTreeSet<ShardId>,
    pub source: Option<Source>,
    /// For fair queueing.
    pub tenant: Arc<str>,
    /// At most 96 KiB.
    pub body: Bytes,
}

/// A row that follows from an entry. Written with the entry's timestamp.
#[derive(Clone, Debug)]
pub struct DerivedRow {
    pub table: &'static Table,
    pub partition: Key,
    pub write: Write,
}

/// Turns entries into rows. Pure: the same entry gives the same rows, so that replay is harmless.
pub trait Applier: Send + Sync + 'static {
    /// The rows of an entry. An entry that cannot be read is an error: it is parked with an alarm and never blocks its shard.
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String>;
}
