//! Measures the embedded store: how long it takes to open, and how many synced one-entry appends it does over 64 logs.
//!
//! `cargo run --release -p banyan-store --example appends -- <empty directory>`

use std::{error::Error, sync::Arc};

use banyan_core::{Clock, Epoch, LogId, LogSeq, ShardCount, SystemClock, SystemEntropy};
use banyan_store::{
    Append, Cas, Column, Compaction, Head, LogRow, LogStore, Mode, Table, TableStore, Write, WriteBatch,
    embedded::{EmbeddedConfig, EmbeddedStore},
    key,
};
use bytes::Bytes;

static ROWS: Table = Table {
    name: "rows",
    partition: &[Column::text("log")],
    clustering: &[Column::int("seq")],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// Appends per log and round: one bucket.
const ENTRIES: u64 = 1024;
/// Bytes of an entry.
const BODY: usize = 800;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("a directory, please")?;
    let clock = Arc::new(SystemClock::default());
    let open = || EmbeddedStore::open(EmbeddedConfig::new(&path), &[&ROWS], clock.clone(), &SystemEntropy);
    let began = clock.monotonic();
    let store = open()?;
    println!("first open    {:>9.1} ms, resident {} kB", millis(began, &*clock), resident());
    for derived in [false, true] {
        let began = clock.monotonic();
        let first = if derived { ENTRIES } else { 0 };
        let tasks: Vec<_> = ShardCount::DEFAULT
            .shards()
            .map(|shard| tokio::spawn(fill(store.clone(), LogId::rooms(shard), first, derived)))
            .collect();
        for task in tasks {
            task.await?.map_err(|error| error.to_string())?;
        }
        let took = millis(began, &*clock);
        let total = ENTRIES * 64;
        let what = if derived { "with a row each" } else { "alone" };
        println!(
            "{total} appends {what}: {took:.0} ms, {:.0} per second, resident {} kB",
            total as f64 / took * 1000.0,
            resident()
        );
    }
    drop(store);
    let began = clock.monotonic();
    let _store = open()?;
    println!("second open   {:>9.1} ms", millis(began, &*clock));
    Ok(())
}

async fn fill(store: EmbeddedStore, log: LogId, first: u64, derived: bool) -> Result<(), banyan_store::StoreError> {
    for seq in first..first + ENTRIES {
        let bucket = seq / 1024;
        if seq % 1024 == 0 {
            let head = Head { epoch: Epoch(1), owner: "bench".to_owned(), next_seq: LogSeq(seq), batch_id: 0 };
            store.create_head(log, bucket, head).await?;
        }
        let row = LogRow { seq: LogSeq(seq), header: Bytes::new(), body: Bytes::from(vec![b'x'; BODY]) };
        let append = Append { bucket, epoch: Epoch(1), next_seq: LogSeq(seq), batch_id: u128::from(seq) + 1, rows: vec![row] };
        assert_eq!(store.append(log, &append).await?, Cas::Applied);
        if derived {
            let writes = vec![Write::Put {
                clustering: key![i64::try_from(seq).unwrap_or(0)],
                value: Bytes::from(vec![b'x'; BODY]),
                ttl: None,
            }];
            let at = banyan_core::TimestampMicros(i64::try_from(seq).unwrap_or(0));
            store.write(WriteBatch { table: &ROWS, partition: key![log.to_string()], writes, at }).await?;
        }
    }
    Ok(())
}

fn millis(began: std::time::Duration, clock: &dyn Clock) -> f64 {
    (clock.monotonic() - began).as_secs_f64() * 1000.0
}

/// Resident memory in kB, as Linux tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "?".to_owned(), |line| line.trim().trim_end_matches(" kB").to_owned())
}
