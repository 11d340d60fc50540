//! Shard logs in the embedded store.

use std::sync::Arc;

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};

use super::{
    EmbeddedStore,
    databases::{Databases, Slot, to_store_error},
    encoding::{decode_entry, decode_head, decode_owner, entry_key, head_key, owner_key},
};
use crate::{
    Append, Cas, Head, LogRow, LogStore, OwnerRow, StoreError,
    check::{BUCKET, MAX_READ, check_append},
    conditional::{Conditional, HeadWrite, OwnerWrite},
};

/// Reads of more entries than this leave the calling thread.
const MANY: usize = 128;

fn read_log(databases: &Databases, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
    let end = LogSeq((bucket + 1) * BUCKET);
    if from >= end {
        return Ok(Vec::new());
    }
    let keys = entry_key(log, bucket, from)..entry_key(log, bucket, end);
    let read = |guard: fjall::Guard| {
        let (key, value) = guard.into_inner().map_err(|error| to_store_error(&error))?;
        decode_entry(&key, &value)
    };
    databases.entries.range(keys).take(limit).map(read).collect()
}

fn drop_bucket(slot: &Slot, databases: &Databases, log: LogId, bucket: u64) -> Result<(), StoreError> {
    let keys = entry_key(log, bucket, LogSeq(0))..entry_key(log, bucket, LogSeq(u64::MAX));
    let mut batch = databases.log.batch();
    for guard in databases.entries.range(keys) {
        batch.remove(&databases.entries, guard.key().map_err(|error| to_store_error(&error))?);
    }
    batch.commit().map_err(|error| {
        slot.set_failed(&error);
        to_store_error(&error)
    })
}

#[async_trait]
impl LogStore for EmbeddedStore {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.read_here(|databases| {
            let stored = databases.entries.get(owner_key(log)).map_err(|error| to_store_error(&error))?;
            stored.map(|stored| decode_owner(&stored)).transpose()
        })
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.0.promises.commit(Conditional::Owner(log, OwnerWrite::Create(row))).await?.owner()
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.0.promises.commit(Conditional::Owner(log, OwnerWrite::Replace(expected, row))).await?.owner()
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        self.read_here(|databases| {
            let stored = databases.entries.get(head_key(log, bucket)).map_err(|error| to_store_error(&error))?;
            stored.map(|stored| decode_head(&stored)).transpose()
        })
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        self.0.promises.commit(Conditional::Head(log, bucket, HeadWrite::Create(head))).await?.head()
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        self.0.promises.commit(Conditional::Head(log, bucket, HeadWrite::Raise(epoch, owner.to_owned()))).await?.head()
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        check_append(batch)?;
        self.0.promises.commit(Conditional::Head(log, batch.bucket, HeadWrite::Append(batch.clone()))).await?.head()
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let limit = limit.min(MAX_READ);
        if limit <= MANY {
            return self.read_here(|databases| read_log(databases, log, bucket, from, limit));
        }
        self.read_apart(move |databases| read_log(databases, log, bucket, from, limit)).await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        // Not conditional and not synced: a drop that is lost is repeated by the next round of retention.
        let slot = Arc::clone(&self.0.slot);
        slot.prepare_write(0)?;
        self.read_apart(move |databases| drop_bucket(&slot, databases, log, bucket)).await
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        Ok(None)
    }
}
