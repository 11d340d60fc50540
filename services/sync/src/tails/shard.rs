//! The tail of one shard's log.

use std::{collections::VecDeque, sync::Arc};

use banyan_core::{LogSeq, TimestampMicros};

/// What a tail holds.
pub trait TailItem {
    /// Its position.
    fn seq(&self) -> LogSeq;
    /// When it was committed.
    fn at(&self) -> TimestampMicros;
    /// Bytes it takes, roughly.
    fn weight(&self) -> usize;
}

/// The recent entries of a log that matter to readers, complete in `first..next`.
#[derive(Debug)]
pub struct ShardTail<T> {
    /// Everything from here on is in the tail.
    pub first: LogSeq,
    /// Everything below is applied and was taken in.
    pub next: LogSeq,
    items: VecDeque<Arc<T>>,
    bytes: usize,
}

impl<T> Default for ShardTail<T> {
    fn default() -> Self {
        Self { first: LogSeq(0), next: LogSeq(0), items: VecDeque::new(), bytes: 0 }
    }
}

impl<T: TailItem> ShardTail<T> {
    /// Forgets everything and goes on at `next`. Returns what it held.
    pub fn reset(&mut self, next: LogSeq) -> Vec<Arc<T>> {
        self.first = next;
        self.next = next;
        self.bytes = 0;
        self.items.drain(..).collect()
    }

    /// Takes in an entry, which must be newer than all before.
    pub fn push(&mut self, item: Arc<T>) {
        self.bytes += item.weight();
        self.items.push_back(item);
    }

    /// Drops the oldest entry.
    pub fn pop(&mut self) -> Option<Arc<T>> {
        let item = self.items.pop_front()?;
        self.bytes -= item.weight();
        self.first = item.seq().plus(1);
        Some(item)
    }

    /// Whether the oldest entry has to go.
    #[must_use]
    pub fn is_over(&self, bytes: usize, entries: usize, oldest: TimestampMicros) -> bool {
        self.bytes > bytes || self.items.len() > entries || self.items.front().is_some_and(|item| item.at() < oldest)
    }

    /// Whether everything from `since` on is here.
    #[must_use]
    pub fn covers(&self, since: LogSeq) -> bool {
        since >= self.first
    }

    /// The entries from `since` on.
    pub fn since(&self, since: LogSeq) -> impl ExactSizeIterator<Item = &Arc<T>> {
        self.items.range(self.items.partition_point(|item| item.seq() < since)..)
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
