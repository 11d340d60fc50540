//! The conditional operations that shard logs are made of. `shard_owner` and `shard_log` are the only tables they touch.

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};
use bytes::Bytes;

use crate::StoreError;

/// The outcome of a conditional write that the store answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cas<T> {
    /// The condition held and the write happened.
    Applied,
    /// The condition did not hold; what is there instead, if anything is.
    Refused(Option<T>),
}

/// A row of `shard_owner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRow {
    /// Raised by one at each change of owner.
    pub epoch: Epoch,
    /// The owner's node id, unique to a process run; empty when a drained owner left it to nobody.
    pub owner: String,
    /// The owner's gRPC address, `host:port`.
    pub addr: String,
    /// The oldest bucket that still has entries.
    pub first_bucket: u64,
    /// A bucket at or below the last one, whose head exists: where a claim starts looking for the end of the log.
    pub hint_bucket: u64,
}

/// The head row (`seq = -1`) of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The epoch that may append.
    pub epoch: Epoch,
    /// Who holds that epoch.
    pub owner: String,
    /// The sequence of the next entry. The bucket is sealed when this is the first of the next bucket.
    pub next_seq: LogSeq,
    /// The batch that was appended last, to judge an append whose answer was lost. Zero before the first.
    pub batch_id: u128,
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its position.
    pub seq: LogSeq,
    /// The log crate's header of the entry.
    pub header: Bytes,
    /// The entry.
    pub body: Bytes,
}

/// A batch to append: entries `next_seq ..`, all in `bucket`.
#[derive(Clone, Debug)]
pub struct Append {
    /// The bucket (`seq / 1024`).
    pub bucket: u64,
    /// The epoch that must still hold.
    pub epoch: Epoch,
    /// Where the log must end now: the sequence of the first entry.
    pub next_seq: LogSeq,
    /// A name for this batch, never zero and never used twice.
    pub batch_id: u128,
    /// 1 to 256 entries, dense from `next_seq`, together at most 1 MiB.
    pub rows: Vec<LogRow>,
}

/// Shard logs. Every write here is conditional and synced before it is acknowledged; reads of heads and owners are SERIAL.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Reads who owns a log.
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError>;

    /// Writes the first owner of a log unless it has one.
    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError>;

    /// Replaces the owner row if its epoch is `expected`. (The same epoch again in `row` moves the bucket marks.)
    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError>;

    /// Reads the head of a bucket.
    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError>;

    /// Opens a bucket unless it has a head.
    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError>;

    /// Raises the epoch of a bucket's head if it is lower: fences whoever held it. Refused with `None` if there is no head.
    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError>;

    /// Appends a batch if the head's epoch and `next_seq` are the batch's.
    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError>;

    /// Reads entries of a bucket from `from` on, at most `limit`, in order. Only committed entries are ever seen.
    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError>;

    /// Deletes the entries of a bucket, not its head.
    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError>;

    /// The store's clock, for the owner to compare its own with; `None` where they are the same clock.
    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError>;
}
