//! Where a sequence lies among the buckets.

use banyan_core::LogSeq;

/// Buckets of a fixed number of entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets(pub(crate) u64);

impl Buckets {
    /// The bucket that holds `seq`.
    pub(crate) const fn of(self, seq: LogSeq) -> u64 {
        seq.0 / self.0
    }

    /// The first sequence of `bucket`.
    pub(crate) const fn first(self, bucket: u64) -> LogSeq {
        LogSeq(bucket * self.0)
    }

    /// The first sequence after `bucket`: its head's `next_seq` once it is sealed.
    pub(crate) const fn end(self, bucket: u64) -> LogSeq {
        LogSeq((bucket + 1) * self.0)
    }

    /// How many entries from `seq` on lie in its bucket.
    pub(crate) const fn room(self, seq: LogSeq) -> u64 {
        self.0 - seq.0 % self.0
    }
}

/// A sequence as a key column.
pub(crate) fn seq_key(seq: LogSeq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
