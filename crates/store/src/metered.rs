//! Measures a store: how long each operation takes, and how often which fails.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::{Clock, Epoch, LogId, LogSeq, TimestampMicros};
use bytes::Bytes;
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};

use crate::{
    Append, Cas, Head, Key, LogRow, LogStore, OwnerRow, Page, Range, Row, Store, StoreError, Table, TableStore, WriteBatch,
};

/// A store that reports to the global meter: `banyan.store.operation.duration` (seconds, by `operation`) and
/// `banyan.store.errors` (by `operation` and `error`).
#[derive(Clone, Debug)]
pub struct Metered<S> {
    store: S,
    clock: Arc<dyn Clock>,
    duration: Histogram<f64>,
    errors: Counter<u64>,
}

impl<S: Store> Metered<S> {
    /// Wraps a store.
    #[must_use]
    pub fn new(store: S, clock: Arc<dyn Clock>) -> Self {
        let meter = global::meter("banyan");
        let boundaries = vec![0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        Self {
            store,
            clock,
            duration: meter
                .f64_histogram("banyan.store.operation.duration")
                .with_unit("s")
                .with_description("How long operations of the store take.")
                .with_boundaries(boundaries)
                .build(),
            errors: meter.u64_counter("banyan.store.errors").with_description("Operations of the store that failed.").build(),
        }
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = self.clock.monotonic();
        let result = work.await;
        let took: Duration = self.clock.monotonic().saturating_sub(began);
        self.duration.record(took.as_secs_f64(), &[KeyValue::new("operation", operation)]);
        if let Err(error) = &result {
            self.errors.add(1, &[KeyValue::new("operation", operation), KeyValue::new("error", error.kind())]);
        }
        result
    }
}

#[async_trait]
impl<S: Store> TableStore for Metered<S> {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.measure("get", self.store.get(table, partition, clustering)).await
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.measure("multi_get", self.store.multi_get(table, keys)).await
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        self.measure("scan", self.store.scan(table, partition, range)).await
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.measure("write", self.store.write(batch)).await
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        self.measure("write_all", self.store.write_all(batches)).await
    }

    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.measure("insert", self.store.insert(table, partition, clustering, value, ttl)).await
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
        self.measure("replace", self.store.replace(table, partition, clustering, expected, value, ttl)).await
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.measure("get_serial", self.store.get_serial(table, partition, clustering)).await
    }
}

#[async_trait]
impl<S: Store> LogStore for Metered<S> {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.measure("read_owner", self.store.read_owner(log)).await
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.measure("create_owner", self.store.create_owner(log, row)).await
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        self.measure("replace_owner", self.store.replace_owner(log, expected, row)).await
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        self.measure("read_head", self.store.read_head(log, bucket)).await
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        self.measure("create_head", self.store.create_head(log, bucket, head)).await
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        self.measure("raise_head", self.store.raise_head(log, bucket, epoch, owner)).await
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        self.measure("append", self.store.append(log, batch)).await
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.measure("read_log", self.store.read_log(log, bucket, from, limit)).await
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        self.measure("drop_bucket", self.store.drop_bucket(log, bucket)).await
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        self.measure("store_time", self.store.store_time()).await
    }
}
