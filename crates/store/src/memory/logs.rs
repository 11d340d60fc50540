//! Shard logs in memory.

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};

use super::{
    MemoryStore,
    state::{Change, Conditional, Outcome},
};
use crate::{
    Append, Cas, Head, LogRow, LogStore, OwnerRow, StoreError,
    check::{MAX_READ, check_append},
};

impl MemoryStore {
    async fn owner_cas(&self, write: Conditional) -> Result<Cas<OwnerRow>, StoreError> {
        match self.write(Change::Conditional(write)).await? {
            Some(Outcome::Owner(outcome)) => Ok(outcome),
            other => Err(StoreError::Corrupt(format!("a write of an owner answered {other:?}"))),
        }
    }

    async fn head_cas(&self, write: Conditional) -> Result<Cas<Head>, StoreError> {
        match self.write(Change::Conditional(write)).await? {
            Some(Outcome::Head(outcome)) => Ok(outcome),
            other => Err(StoreError::Corrupt(format!("a write of a head answered {other:?}"))),
        }
    }
}

#[async_trait]
impl LogStore for MemoryStore {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.read(|engine, _| engine.state.owner(log)).await
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.owner_cas(Conditional::CreateOwner(log, row)).await
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.owner_cas(Conditional::ReplaceOwner(log, expected, row)).await
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        self.read(|engine, _| engine.state.head(log, bucket)).await
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        self.head_cas(Conditional::CreateHead(log, bucket, head)).await
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        self.head_cas(Conditional::RaiseHead(log, bucket, epoch, owner.to_owned())).await
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        check_append(batch)?;
        self.head_cas(Conditional::Append(log, batch.clone())).await
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.read(|engine, _| engine.state.log(log, bucket, from, limit.min(MAX_READ))).await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        self.write(Change::DropBucket(log, bucket)).await.map(drop)
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        self.read(|_, _| None).await
    }
}
