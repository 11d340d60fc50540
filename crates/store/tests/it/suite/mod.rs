//! What every backend must do.

pub(crate) mod conditional;
pub(crate) mod limits;
pub(crate) mod logs;
pub(crate) mod ranges;
pub(crate) mod reads;
pub(crate) mod writers;

use banyan_core::TimestampMicros;
use banyan_store::{Key, Store, Table, Write, WriteBatch};
use bytes::Bytes;

pub(crate) fn put(clustering: Key, value: impl Into<Bytes>) -> Write {
    Write::Put { clustering, value: value.into(), ttl: None }
}

pub(crate) fn delete(clustering: Key) -> Write {
    Write::Delete { clustering }
}

pub(crate) fn batch(table: &'static Table, partition: Key, at: i64, writes: Vec<Write>) -> WriteBatch {
    WriteBatch { table, partition, writes, at: TimestampMicros(at) }
}

pub(crate) async fn value(store: &dyn Store, table: &'static Table, partition: &Key, clustering: &Key) -> Option<Bytes> {
    store.get(table, partition, clustering).await.expect("a read").map(|row| row.value)
}
