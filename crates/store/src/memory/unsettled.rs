//! Writes that happened and that nobody was answered yet: what a read at QUORUM need not show.

use std::collections::BTreeMap;

use banyan_core::TimestampMicros;

use super::state::{Before, Partition};

/// The newest writes of each partition, oldest first, since the last one that every read must show.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    partitions: BTreeMap<Partition, Vec<(u64, TimestampMicros, Before)>>,
    next: u64,
}

impl Unsettled {
    /// Notes a write that just happened; answers its number.
    pub(super) fn begin(&mut self, now: TimestampMicros, before: Before) -> u64 {
        let id = self.next;
        self.next += 1;
        self.partitions.entry(before.partition()).or_default().push((id, now, before));
        id
    }

    /// The write was acknowledged: all reads show it from now on, and what it was written over with it.
    pub(super) fn acknowledged(&mut self, partition: &Partition, id: u64) {
        self.keep(partition, |newer, _, _| newer > id);
    }

    /// A SERIAL operation on the partition completed whatever conditional write was half done.
    pub(super) fn completed(&mut self, partition: &Partition) {
        let newest = self
            .partitions
            .get(partition)
            .and_then(|writes| writes.iter().rev().find(|(_, _, before)| before.is_conditional()).map(|(id, _, _)| *id));
        if let Some(id) = newest {
            self.acknowledged(partition, id);
        }
    }

    /// The store's repair has reached whatever is older than `horizon`.
    pub(super) fn repair(&mut self, horizon: TimestampMicros) {
        let partitions: Vec<Partition> = self.partitions.keys().cloned().collect();
        for partition in partitions {
            self.keep(&partition, |_, at, _| at >= horizon);
        }
    }

    /// The writes of a partition that a read may miss, oldest first: it misses some of the last ones.
    pub(super) fn of(&self, partition: &Partition) -> impl ExactSizeIterator<Item = &Before> + DoubleEndedIterator {
        self.partitions.get(partition).map(Vec::as_slice).unwrap_or_default().iter().map(|(_, _, before)| before)
    }

    pub(super) fn clear(&mut self) {
        self.partitions.clear();
    }

    fn keep(&mut self, partition: &Partition, keep: impl Fn(u64, TimestampMicros, &Before) -> bool) {
        if let Some(writes) = self.partitions.get_mut(partition) {
            writes.retain(|(id, at, before)| keep(*id, *at, before));
            if writes.is_empty() {
                self.partitions.remove(partition);
            }
        }
    }
}
