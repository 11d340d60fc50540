//! Tables in the embedded store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;
use fjall::Keyspace;

use super::{
    EmbeddedStore,
    databases::{Databases, to_store_error},
    derived::Batches,
    encoding::{clustering, decode_cell, key_range, partition_prefix, row_key},
};
use crate::{
    Bound, Cas, Key, Mode, Page, Range, Row, StoreError, Table, TableStore, WriteBatch,
    cell::expiry,
    conditional::{Conditional, RowId, ValueWrite},
};

/// Rows after this many are read on another thread than the calling one.
const MANY: usize = 128;

impl EmbeddedStore {
    fn now(&self) -> TimestampMicros {
        self.0.slot.clock().now()
    }

    async fn write_batches(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        batches.iter().try_for_each(|batch| self.0.tables.check_batch(batch))?;
        if batches.iter().all(|batch| batch.writes.is_empty()) {
            return Ok(());
        }
        self.0.derived.commit(Batches { batches, unsynced: Arc::clone(&self.0.syncer.unsynced) }).await
    }
}

fn keyspace<'a>(databases: &'a Databases, table: &Table) -> &'a Keyspace {
    match table.mode {
        Mode::Conditional => &databases.conditional,
        Mode::Derived | Mode::Cache => &databases.derived,
    }
}

fn get(
    databases: &Databases,
    table: &Table,
    partition: &Key,
    clustering: &Key,
    now: TimestampMicros,
) -> Result<Option<Row>, StoreError> {
    let key = row_key(table.name, partition, clustering);
    let Some(stored) = keyspace(databases, table).get(key).map_err(|error| to_store_error(&error))? else { return Ok(None) };
    let cell = decode_cell(&stored)?;
    Ok(cell.live(now).cloned().map(|value| Row { clustering: clustering.clone(), value, written: cell.written }))
}

fn scan(databases: &Databases, table: &Table, partition: &Key, range: &Range, now: TimestampMicros) -> Result<Page, StoreError> {
    let prefix = partition_prefix(table.name, partition);
    let mut page = Page::default();
    let Some((start, end)) = key_range(&prefix, range) else { return Ok(page) };
    let mut rows = keyspace(databases, table).range(start..end);
    while let Some(guard) = if range.reverse { rows.next_back() } else { rows.next() } {
        let (key, stored) = guard.into_inner().map_err(|error| to_store_error(&error))?;
        let cell = decode_cell(&stored)?;
        let Some(value) = cell.live(now).cloned() else { continue };
        if page.rows.len() == range.limit {
            page.more = true;
            break;
        }
        let clustering = clustering(table, key.get(prefix.len()..).unwrap_or_default())?;
        page.rows.push(Row { clustering, value, written: cell.written });
    }
    Ok(page)
}

#[async_trait]
impl TableStore for EmbeddedStore {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.0.tables.check_row(table, partition, clustering)?;
        let now = self.now();
        self.read_here(|databases| get(databases, table, partition, clustering, now))
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.0.tables.check_multi_get(table, keys)?;
        let now = self.now();
        let all = move |databases: &Databases, keys: &[(Key, Key)]| -> Result<Vec<_>, StoreError> {
            keys.iter().map(|(partition, clustering)| get(databases, table, partition, clustering, now)).collect()
        };
        if keys.len() <= MANY {
            return self.read_here(|databases| all(databases, keys));
        }
        let keys = keys.to_vec();
        self.read_apart(move |databases| all(databases, &keys)).await
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        let mut range = self.0.tables.check_range(table, partition, range)?;
        let now = self.now();
        let wanted = range.limit;
        range.limit = wanted.min(MANY);
        let mut page = self.read_here(|databases| scan(databases, table, partition, &range, now))?;
        let Some(last) = page.rows.last().filter(|_| page.more && wanted > MANY) else { return Ok(page) };
        let end = Bound::Excluded(last.clustering.clone());
        *(if range.reverse { &mut range.to } else { &mut range.from }) = end;
        range.limit = wanted - page.rows.len();
        let partition = partition.clone();
        let rest = self.read_apart(move |databases| scan(databases, table, &partition, &range, now)).await?;
        page.rows.extend(rest.rows);
        page.more = rest.more;
        Ok(page)
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.write_batches(vec![batch]).await
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        self.write_batches(batches).await
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
        let row = RowId { table: table.name, partition: partition.clone(), clustering: clustering.clone() };
        let write = ValueWrite::Insert(value, ttl.map(|ttl| expiry(self.now(), ttl)));
        self.0.promises.commit(Conditional::Value(row, write)).await?.value()
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
        let row = RowId { table: table.name, partition: partition.clone(), clustering: clustering.clone() };
        let write = ValueWrite::Replace { expected, value, expires: ttl.map(|ttl| expiry(self.now(), ttl)) };
        self.0.promises.commit(Conditional::Value(row, write)).await?.value()
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.0.tables.check_conditional(table, partition, clustering)?;
        let now = self.now();
        Ok(self.read_here(|databases| get(databases, table, partition, clustering, now))?.map(|row| row.value))
    }
}
