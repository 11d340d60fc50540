//! Tables in a CQL database.

use std::{collections::BTreeMap, ops::Bound as OpsBound, time::Duration};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use scylla::{
    statement::batch::{Batch, BatchType},
    value::CqlValue,
};

use super::{
    CqlStore,
    errors::unreadable,
    session::Kind,
    statements,
    values::{Bind, Columns, applied, bind_key, owned, rows},
};
use crate::{Bound, Cas, Key, Mode, Page, Range, Row, StoreError, Table, TableStore, Write, WriteBatch, check::ttl_seconds};

/// Requests that one call has under way at a time.
const CONCURRENCY: usize = 32;
/// Clustering keys of one `IN`.
const IN_LIMIT: usize = 100;

/// One write, bound.
struct BoundWrite<'a> {
    cql: String,
    values: Vec<Bind<'a>>,
}

fn bind_write<'a>(table: &Table, partition: &'a Key, at: TimestampMicros, write: &'a Write) -> BoundWrite<'a> {
    match write {
        Write::Delete { clustering } => BoundWrite {
            cql: statements::delete(table),
            values: [Bind::Big(at.0)].into_iter().chain(bind_key(partition)).chain(bind_key(clustering)).collect(),
        },
        Write::Put { clustering, value, ttl } => {
            let mut values: Vec<_> = bind_key(partition).chain(bind_key(clustering)).collect();
            values.extend([Bind::Blob(value), Bind::Big(at.0.saturating_add(1))]);
            match ttl {
                None => BoundWrite { cql: statements::put(table), values },
                Some(ttl) => {
                    values.push(Bind::Int(seconds(*ttl)));
                    BoundWrite { cql: statements::put_for(table), values }
                }
            }
        }
    }
}

fn seconds(ttl: Duration) -> i32 {
    i32::try_from(ttl_seconds(ttl)).unwrap_or(i32::MAX)
}

/// Conditional tables know no write timestamps: theirs belong to the database.
fn written(table: &Table, written: Option<i64>) -> TimestampMicros {
    TimestampMicros(if table.mode == Mode::Conditional { 0 } else { written.unwrap_or(0) })
}

/// Reads clustering key, value and timestamp.
fn read_row(table: &Table, mut columns: Columns) -> Result<Row, StoreError> {
    let clustering = columns.key(table.clustering.len())?;
    let value = columns.blob()?;
    Ok(Row { clustering, value, written: written(table, columns.maybe_big()?) })
}

fn bound_values(bound: &Bound) -> impl Iterator<Item = Bind<'_>> {
    let key = match bound {
        OpsBound::Unbounded => None,
        OpsBound::Included(key) | OpsBound::Excluded(key) => Some(key),
    };
    key.into_iter().flat_map(bind_key)
}

impl CqlStore {
    async fn write_one(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        // Of several writes to one row the last counts; the database would go by their timestamps.
        let last: BTreeMap<&Key, &Write> = batch
            .writes
            .iter()
            .map(|write| match write {
                Write::Put { clustering, .. } | Write::Delete { clustering } => (clustering, write),
            })
            .collect();
        let mut writes: Vec<_> =
            last.into_values().map(|write| bind_write(batch.table, &batch.partition, batch.at, write)).collect();
        match writes.len() {
            0 => Ok(()),
            1 => {
                let BoundWrite { cql, values } = writes.swap_remove(0);
                self.session().execute(Kind::Write, &cql, values).await.map(drop)
            }
            _ => {
                let mut statement = Batch::new(BatchType::Unlogged);
                for write in &writes {
                    statement.append_statement(self.session().prepare(Kind::Write, &write.cql).await?);
                }
                let values: Vec<_> = writes.into_iter().map(|write| write.values).collect();
                self.session().batch(Kind::Write, statement, values).await.map(drop)
            }
        }
    }

    /// Rows of one partition by their clustering keys.
    async fn get_group(&self, table: &Table, partition: &Key, keys: &[&Key]) -> Result<Vec<Row>, StoreError> {
        if let [clustering] = keys {
            return Ok(self.get_one(table, partition, clustering).await?.into_iter().collect());
        }
        let item = |key: &&Key| match key.as_slice() {
            [part] => owned(part),
            parts => CqlValue::Tuple(parts.iter().map(|part| Some(owned(part))).collect()),
        };
        let list = CqlValue::List(keys.iter().map(item).collect());
        let values: Vec<_> = bind_key(partition).chain([Bind::Keys(&list)]).collect();
        let found = self.session().read(&statements::get_many(table), values, keys.len()).await?;
        found.into_iter().map(|columns| read_row(table, columns)).collect()
    }

    async fn get_one(&self, table: &Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        let values: Vec<_> = bind_key(partition).chain(bind_key(clustering)).collect();
        let result = self.session().execute(Kind::Read, &statements::get(table), values).await?;
        let Some(mut columns) = rows(result)?.pop() else { return Ok(None) };
        let value = columns.blob()?;
        Ok(Some(Row { clustering: clustering.clone(), value, written: written(table, columns.maybe_big()?) }))
    }

    /// Runs a conditional statement on a row with a value.
    async fn value_cas(&self, cql: &str, values: Vec<Bind<'_>>) -> Result<Cas<Bytes>, StoreError> {
        let result = self.session().execute(Kind::Conditional, cql, values).await?;
        match applied(result, "value")? {
            Ok(()) => Ok(Cas::Applied),
            Err(None) => Ok(Cas::Refused(None)),
            Err(Some(CqlValue::Blob(value))) => Ok(Cas::Refused(Some(value.into()))),
            Err(Some(CqlValue::Empty)) => Ok(Cas::Refused(Some(Bytes::new()))),
            Err(Some(other)) => Err(unreadable(format!("a value is {other:?}"))),
        }
    }
}

#[async_trait]
impl TableStore for CqlStore {
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError> {
        self.tables().check_row(table, partition, clustering)?;
        self.get_one(table, partition, clustering).await
    }

    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError> {
        self.tables().check_multi_get(table, keys)?;
        let mut partitions: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
        for (partition, clustering) in keys {
            partitions.entry(partition).or_default().push(clustering);
        }
        let mut groups = Vec::new();
        for (partition, mut clusterings) in partitions {
            clusterings.sort_unstable();
            clusterings.dedup();
            groups.extend(clusterings.chunks(IN_LIMIT).map(|chunk| (partition, chunk.to_vec())));
        }
        let fetches = groups.into_iter().map(|(partition, clusterings)| async move {
            let rows = self.get_group(table, partition, &clusterings).await?;
            Ok::<_, StoreError>(rows.into_iter().map(move |row| ((partition, row.clustering.clone()), row)).collect::<Vec<_>>())
        });
        let fetches: Vec<_> = fetches.collect();
        let found: Vec<_> = stream::iter(fetches).buffer_unordered(CONCURRENCY).try_collect().await?;
        let found: BTreeMap<(&Key, Key), Row> = found.into_iter().flatten().collect();
        Ok(keys.iter().map(|(partition, clustering)| found.get(&(partition, clustering.clone())).cloned()).collect())
    }

    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError> {
        let range = self.tables().check_range(table, partition, range)?;
        // One more than asked for tells whether more follow.
        let limit = range.limit + 1;
        let mut values: Vec<_> = bind_key(partition).chain(bound_values(&range.from)).chain(bound_values(&range.to)).collect();
        values.push(Bind::Int(i32::try_from(limit).unwrap_or(i32::MAX)));
        let found = self.session().read(&statements::scan(table, &range), values, limit).await?;
        let mut rows = found.into_iter().map(|columns| read_row(table, columns)).collect::<Result<Vec<_>, _>>()?;
        let more = rows.len() > range.limit;
        rows.truncate(range.limit);
        Ok(Page { rows, more })
    }

    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.tables().check_batch(&batch)?;
        self.write_one(&batch).await
    }

    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError> {
        batches.iter().try_for_each(|batch| self.tables().check_batch(batch))?;
        let writes: Vec<_> = batches.iter().map(|batch| self.write_one(batch)).collect();
        // All are tried, so that a batch that the database refuses does not hold up the others.
        let results: Vec<_> = stream::iter(writes).buffer_unordered(CONCURRENCY).collect().await;
        results.into_iter().collect()
    }

    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError> {
        self.tables().check_conditional(table, partition, clustering)?;
        self.tables().check_conditional_value(table, &value, ttl)?;
        let mut values: Vec<_> = bind_key(partition).chain(bind_key(clustering)).collect();
        values.extend([Bind::Blob(&value), Bind::Int(ttl.map_or(0, seconds))]);
        self.value_cas(&statements::insert(table), values).await
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
        self.tables().check_conditional(table, partition, clustering)?;
        let key = bind_key(partition).chain(bind_key(clustering));
        match &value {
            None => {
                let values = key.chain([Bind::Blob(&expected)]).collect();
                self.value_cas(&statements::remove(table), values).await
            }
            Some(value) => {
                self.tables().check_conditional_value(table, value, ttl)?;
                let new = [Bind::Int(ttl.map_or(0, seconds)), Bind::Blob(value)];
                let values = new.into_iter().chain(key).chain([Bind::Blob(&expected)]).collect();
                self.value_cas(&statements::replace(table), values).await
            }
        }
    }

    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError> {
        self.tables().check_conditional(table, partition, clustering)?;
        let values: Vec<_> = bind_key(partition).chain(bind_key(clustering)).collect();
        let result = self.session().execute(Kind::SerialRead, &statements::get_serial(table), values).await?;
        match rows(result)?.pop() {
            Some(mut columns) => columns.maybe_blob(),
            None => Ok(None),
        }
    }
}
