//! Entries, before and after they have a place in a log.

use std::{collections::BTreeSet, sync::Arc};

use banyan_core::{LogId, LogSeq, RequestId, ShardId, TimestampMicros};
use bytes::Bytes;

/// An entry as committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The log it is in.
    pub log: LogId,
    /// Its place.
    pub seq: LogSeq,
    /// When it was committed, at least two microseconds after the entry before it. Its rows are written with it.
    pub timestamp: TimestampMicros,
    /// The command that caused it, and the position among the entries of that command.
    pub request: Option<(RequestId, u32)>,
    /// Shards of the other kind whose followers must look at it, ascending.
    pub targets: Vec<ShardId>,
    /// The entry of another log that it is an effect of.
    pub source: Option<Source>,
    /// The W3C trace context of the span that proposed it; empty if there was none.
    pub traceparent: String,
    /// What happened, in the terms of the log's kind.
    pub body: Bytes,
}

impl Entry {
    /// Whether a follower that looks after `shard` of the other kind must look at this entry.
    #[must_use]
    pub fn concerns(&self, shard: ShardId) -> bool {
        self.targets.binary_search(&shard).is_ok()
    }
}

/// Where an entry that a follower produced came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The log that was followed.
    pub log: LogId,
    /// The entry that had the effect.
    pub seq: LogSeq,
    /// Counts the parts of an effect too large for one entry, from 0.
    pub part: u32,
}

/// An entry to be.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// The command that causes it.
    pub request_id: Option<RequestId>,
    /// Shards of the other kind whose followers must look at it.
    pub targets: BTreeSet<ShardId>,
    /// The entry of another log that it is an effect of; a log takes each source once.
    pub source: Option<Source>,
    /// For fair queueing.
    pub tenant: Arc<str>,
    /// What must keep its order, for example a hash of the room's id. Groups whose first proposals have the same lane enter the log
    /// in the order of the calls; different lanes may overtake each other so that one tenant's load does not delay the others. Lane 0
    /// (the default) is a lane like any other: leaving it everywhere keeps the order of all calls.
    pub lane: u64,
    /// At most 96 KiB together with the header, which takes up to 192 bytes and 3 per target.
    pub body: Bytes,
}
