//! A disk that fills up, and databases that are opened again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use banyan_core::{Epoch, LogId, LogSeq, ManualClock, ShardId, SystemEntropy, TimestampMicros};
use bytes::Bytes;
use tempfile::TempDir;

use super::{EmbeddedConfig, EmbeddedStore};
use crate::{Cas, Column, Compaction, Head, LogStore, Mode, StoreError, Table, TableStore, Write, WriteBatch, key};

static ROWS: Table =
    Table { name: "rows", partition: &[Column::text("p")], clustering: &[], mode: Mode::Derived, compaction: Compaction::Leveled };

const LOG: LogId = LogId::rooms(ShardId(0));

/// A store on a disk with as much room as the number says.
fn store(dir: &TempDir) -> (EmbeddedStore, Arc<AtomicU64>, ManualClock) {
    let free = Arc::new(AtomicU64::new(1 << 30));
    let clock = ManualClock::new(TimestampMicros(1_000_000));
    let probe = Arc::clone(&free);
    let store = EmbeddedStore::open_with(
        EmbeddedConfig::new(dir.path()),
        &[&ROWS],
        Arc::new(clock.clone()),
        &SystemEntropy,
        Box::new(move |_| Ok(probe.load(Ordering::SeqCst))),
    );
    (store.expect("it opens"), free, clock)
}

fn head() -> Head {
    Head { epoch: Epoch(1), owner: "n".to_owned(), next_seq: LogSeq(0), batch_id: 0 }
}

fn row(at: i64) -> WriteBatch {
    let writes = vec![Write::Put { clustering: key![], value: Bytes::from("v"), ttl: None }];
    WriteBatch { table: &ROWS, partition: key!["p"], writes, at: TimestampMicros(at) }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let dir = TempDir::new().expect("a directory");
    let (store, free, _) = store(&dir);
    store.write(row(1)).await.expect("room");
    free.store(1 << 20, Ordering::SeqCst);
    assert!(matches!(store.create_head(LOG, 0, head()).await, Err(StoreError::DiskFull(_))));
    assert!(matches!(store.write(row(2)).await, Err(StoreError::DiskFull(_))));
    assert!(store.get(&ROWS, &key!["p"], &key![]).await.expect("reads go on").is_some());
    assert_eq!(store.read_head(LOG, 0).await.expect("reads go on"), None);
    free.store(1 << 30, Ordering::SeqCst);
    assert_eq!(store.create_head(LOG, 0, head()).await.expect("room again"), Cas::Applied);
    store.write(row(3)).await.expect("room again");
}

#[tokio::test]
async fn after_a_failed_write_the_databases_are_opened_again() {
    let dir = TempDir::new().expect("a directory");
    let (store, free, _) = store(&dir);
    store.create_head(LOG, 0, head()).await.expect("it is whole");
    store.write(row(1)).await.expect("it is whole");
    store.0.slot.set_failed(&fjall::Error::Poisoned);
    free.store(0, Ordering::SeqCst);
    assert!(matches!(store.write(row(2)).await, Err(StoreError::DiskFull(_))));
    free.store(1 << 30, Ordering::SeqCst);
    let raised = store.raise_head(LOG, 0, Epoch(2), "m").await;
    assert_eq!(raised.expect("opened again, with what it held"), Cas::Applied);
    assert!(store.get(&ROWS, &key!["p"], &key![]).await.expect("a read").is_some());
    store.write(row(2)).await.expect("it writes");
}
