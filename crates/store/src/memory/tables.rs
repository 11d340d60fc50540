//! Tables in memory.

use std::time::Duration;

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;

use super::{
    MemoryStore,
    state::{Change, Partition, State},
};
use crate::{
    Cas, Key, Page, Range, Row, StoreError, Table, TableStore, WriteBatch,
    cell::expiry,
    conditional::{Conditional, RowId, ValueWrite},
};

impl MemoryStore {
    fn expires(&self, ttl: Option<Duration>) -> Option<TimestampMicros> {
        ttl.map(|ttl| expiry(self.0.clock.now(), ttl))
    }
}

fn row_id(table: &'static Table, partition: &Key, clustering: &Key) -> RowId {
    RowId { table: table.name, partition: partition.clone(), clustering: clustering.clone() }
}

#[async_trait]
impl TableStore for MemoryStore {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.0.tables.check_row(table, partition, clustering)?;
        let place = Partition::Table(table.name, partition.clone());
        self.read(|engine, now| engine.read(&place, now, |state| state.get(table, partition, clustering, now))).await
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.0.tables.check_multi_get(table, keys)?;
        self.read(|engine, now| {
            let get = |(partition, clustering): &(Key, Key)| {
                let place = Partition::Table(table.name, partition.clone());
                engine.read(&place, now, |state| state.get(table, partition, clustering, now))
            };
            keys.iter().map(get).collect()
        })
        .await
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        let range = self.0.tables.check_range(table, partition, range)?;
        let place = Partition::Table(table.name, partition.clone());
        self.read(|engine, now| engine.read(&place, now, |state| state.scan(table, partition, &range, now))).await
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.0.tables.check_batch(&batch)?;
        self.perform(Change::Derived(batch)).await.map(drop)
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        batches.iter().try_for_each(|batch| self.0.tables.check_batch(batch))?;
        self.change(|engine, now| engine.write_all(batches, now)).await
    }

    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.0.tables.check_conditional(table, partition, clustering)?;
        self.0.tables.check_conditional_value(table, &value, ttl)?;
        let write = ValueWrite::Insert(value, self.expires(ttl));
        self.conditional(Conditional::Value(row_id(table, partition, clustering), write)).await?.value()
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
        self.0.tables.check_conditional(table, partition, clustering)?;
        value.iter().try_for_each(|value| self.0.tables.check_conditional_value(table, value, ttl))?;
        let write = ValueWrite::Replace { expected, value, expires: self.expires(ttl) };
        self.conditional(Conditional::Value(row_id(table, partition, clustering), write)).await?.value()
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.0.tables.check_conditional(table, partition, clustering)?;
        let place = Partition::Table(table.name, partition.clone());
        let read = |state: &State, now| state.get(table, partition, clustering, now).map(|row| row.value);
        self.read(|engine, now| engine.read_serial(&place, |state| read(state, now))).await
    }
}
