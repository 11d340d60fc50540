//! Shard logs in memory.

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};

use super::{
    MemoryStore,
    state::{Change, Partition},
};
use crate::{
    Append, Cas, Head, LogRow, LogStore, OwnerRow, StoreError,
    check::{MAX_READ, check_append},
    conditional::{Conditional, HeadWrite, OwnerWrite},
};

#[async_trait]
impl LogStore for MemoryStore {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.read(|engine, _| engine.read_serial(&Partition::Owner(log), |state| state.owner(log))).await
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.conditional(Conditional::Owner(log, OwnerWrite::Create(row))).await?.owner()
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.conditional(Conditional::Owner(log, OwnerWrite::Replace(expected, row))).await?.owner()
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        self.read(|engine, _| engine.read_serial(&Partition::Bucket(log, bucket), |state| state.head(log, bucket))).await
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        self.conditional(Conditional::Head(log, bucket, HeadWrite::Create(head))).await?.head()
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        self.conditional(Conditional::Head(log, bucket, HeadWrite::Raise(epoch, owner.to_owned()))).await?.head()
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        check_append(batch)?;
        self.conditional(Conditional::Head(log, batch.bucket, HeadWrite::Append(batch.clone()))).await?.head()
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let limit = limit.min(MAX_READ);
        self.read(|engine, now| engine.read(&Partition::Bucket(log, bucket), now, |state| state.log(log, bucket, from, limit)))
            .await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        self.perform(Change::DropBucket(log, bucket)).await.map(drop)
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        self.read(|_, _| None).await
    }
}
