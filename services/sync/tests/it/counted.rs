//! A store that counts what is read of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};
use banyan_store::{
    Append, Cas, Head, Key, LogRow, LogStore, OwnerRow, Page, Range, Row, StoreError, Table, TableStore, WriteBatch,
    memory::MemoryStore,
};
use bytes::Bytes;
use parking_lot::Mutex;

/// What was read, by table.
pub(crate) type Reads = BTreeMap<&'static str, Count>;

/// Of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Questions to the store.
    pub(crate) calls: usize,
    /// Keys that were asked for, and rows that scans gave.
    pub(crate) rows: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Counted {
    store: Arc<MemoryStore>,
    reads: Arc<Mutex<Reads>>,
}

impl Counted {
    pub(crate) fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, reads: Arc::default() }
    }

    /// What was read since it was last asked.
    pub(crate) fn take(&self) -> Reads {
        std::mem::take(&mut *self.reads.lock())
    }

    fn count(&self, table: &Table, rows: usize) {
        let mut reads = self.reads.lock();
        let count = reads.entry(table.name).or_default();
        count.calls += 1;
        count.rows += rows;
    }
}

#[async_trait]
impl TableStore for Counted {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.count(table, 1);
        self.store.get(table, partition, clustering).await
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.count(table, keys.len());
        self.store.multi_get(table, keys).await
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        let page = self.store.scan(table, partition, range).await?;
        self.count(table, page.rows.len());
        Ok(page)
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.store.write(batch).await
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        self.store.write_all(batches).await
    }

    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.store.insert(table, partition, clustering, value, ttl).await
    }

    async fn replace(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        expected: Bytes,
        value: Option<Bytes>,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.store.replace(table, partition, clustering, expected, value, ttl).await
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.count(table, 1);
        self.store.get_serial(table, partition, clustering).await
    }
}

#[async_trait]
impl LogStore for Counted {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.store.read_owner(log).await
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.store.create_owner(log, row).await
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.store.replace_owner(log, expected, row).await
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        self.store.read_head(log, bucket).await
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        self.store.create_head(log, bucket, head).await
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        self.store.raise_head(log, bucket, epoch, owner).await
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        self.store.append(log, batch).await
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.store.read_log(log, bucket, from, limit).await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        self.store.drop_bucket(log, bucket).await
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        self.store.store_time().await
    }
}
