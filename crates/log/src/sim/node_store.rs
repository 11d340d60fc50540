//! The store as one node sees it: behind a gate that stops the node, with buckets as small as the schedule wants, and watched.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::{Clock, Epoch, LogId, LogSeq, TimestampMicros};
use banyan_store::{
    Append, Cas, Head, Key, LogRow, LogStore, OwnerRow, Page, Range, Row, StoreError, Table, TableStore, WriteBatch, check::BUCKET,
    memory::MemoryStore,
};
use bytes::Bytes;

use super::{ledger::Ledger, schedule::SimClock};
use crate::signal::Signal;

/// Rules that the store breaks, to prove that the simulation notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Broken {
    /// Appends succeed whatever the epoch.
    pub(super) no_fence: bool,
    /// A raise of a head is answered and not done.
    pub(super) raises_nothing: bool,
}

/// A node that is stopped gets nothing sent and hears no answer.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Signal<bool>>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(Signal::new(true)))
    }

    pub(super) fn set_open(&self, open: bool) {
        self.0.set(open);
    }

    pub(super) async fn pass(&self) {
        self.0.wait_for(|open| *open).await;
    }
}

/// One node's way to the store.
#[derive(Clone)]
pub(super) struct NodeStore {
    pub(super) inner: MemoryStore,
    pub(super) gate: Gate,
    pub(super) ledger: Arc<Ledger>,
    pub(super) bucket_len: u64,
    pub(super) broken: Broken,
    /// The store's own.
    pub(super) clock: SimClock,
}

impl NodeStore {
    async fn pass<T>(&self, operation: impl Future<Output = T>) -> T {
        self.gate.pass().await;
        let answer = operation.await;
        self.gate.pass().await;
        answer
    }

    /// The store insists on its own length of buckets: places are mapped into them.
    const fn inward(&self, bucket: u64, seq: LogSeq) -> LogSeq {
        LogSeq(bucket * BUCKET + (seq.0 - bucket * self.bucket_len))
    }

    const fn outward(&self, bucket: u64, seq: LogSeq) -> LogSeq {
        LogSeq(bucket * self.bucket_len + (seq.0 - bucket * BUCKET))
    }

    fn head_in(&self, bucket: u64, head: Head) -> Head {
        Head { next_seq: self.inward(bucket, head.next_seq), ..head }
    }

    fn head_out(&self, bucket: u64, head: Head) -> Head {
        Head { next_seq: self.outward(bucket, head.next_seq), ..head }
    }

    fn cas_out(&self, bucket: u64, cas: Cas<Head>) -> Cas<Head> {
        match cas {
            Cas::Applied => Cas::Applied,
            Cas::Refused(head) => Cas::Refused(head.map(|head| self.head_out(bucket, head))),
        }
    }

    fn append_in(&self, batch: &Append) -> Append {
        let inward = |row: &LogRow| LogRow { seq: self.inward(batch.bucket, row.seq), ..row.clone() };
        let rows = batch.rows.iter().map(inward).collect();
        Append { next_seq: self.inward(batch.bucket, batch.next_seq), rows, ..batch.clone() }
    }

    pub(super) async fn rows(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let rows = self.inner.read_log(log, bucket, self.inward(bucket, from), limit).await?;
        Ok(rows.into_iter().map(|row| LogRow { seq: self.outward(bucket, row.seq), ..row }).collect())
    }
}

#[async_trait]
impl LogStore for NodeStore {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.pass(self.inner.read_owner(log)).await
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.pass(self.inner.create_owner(log, row)).await
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.pass(self.inner.replace_owner(log, expected, row)).await
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        let head = self.pass(self.inner.read_head(log, bucket)).await?;
        Ok(head.map(|head| self.head_out(bucket, head)))
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        let cas = self.pass(self.inner.create_head(log, bucket, self.head_in(bucket, head))).await?;
        Ok(self.cas_out(bucket, cas))
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        if self.broken.raises_nothing {
            return Ok(Cas::Applied);
        }
        let cas = self.pass(self.inner.raise_head(log, bucket, epoch, owner)).await?;
        Ok(self.cas_out(bucket, cas))
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        let mut inward = self.append_in(batch);
        let mut cas = self.pass(self.inner.append(log, &inward)).await?;
        if self.broken.no_fence
            && let Cas::Refused(Some(head)) = &cas
            && head.next_seq == inward.next_seq
        {
            inward.epoch = head.epoch;
            cas = self.inner.append(log, &inward).await?;
        }
        if cas == Cas::Applied {
            self.ledger.appended(log, batch);
        }
        Ok(self.cas_out(batch.bucket, cas))
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.pass(self.rows(log, bucket, from, limit)).await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        self.gate.pass().await;
        // The judge needs what retention drops.
        let first = LogSeq(bucket * self.bucket_len);
        let rows = self.rows(log, bucket, first, usize::try_from(self.bucket_len).unwrap_or(1)).await?;
        self.ledger.archive(log, rows);
        self.pass(self.inner.drop_bucket(log, bucket)).await
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        Ok(Some(self.pass(async { self.clock.now() }).await))
    }
}

#[async_trait]
impl TableStore for NodeStore {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.pass(self.inner.get(table, partition, clustering)).await
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.pass(self.inner.multi_get(table, keys)).await
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        self.pass(self.inner.scan(table, partition, range)).await
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.pass(self.inner.write(batch)).await
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        self.pass(self.inner.write_all(batches)).await
    }

    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.pass(self.inner.insert(table, partition, clustering, value, ttl)).await
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
        self.pass(self.inner.replace(table, partition, clustering, expected, value, ttl)).await
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.pass(self.inner.get_serial(table, partition, clustering)).await
    }
}
