//! From committed entries to derived rows.

use std::collections::HashMap;

use banyan_core::{LogId, TimestampMicros};
use banyan_proto::log as wire;
use banyan_store::{Key, StoreError, Table, Write, WriteBatch, key};
use bytes::Bytes;
use prost::Message;

use crate::{
    DerivedRow, Entry,
    place::seq_key,
    requests,
    retry::{Backoff, is_transient},
    shared::Shared,
    sources,
    tables::{LOG_REQUEST, PARKED_ROW},
};

/// A merged batch is cut beyond so many rows or bytes.
const MAX_ROWS: usize = 500;
const MAX_BYTES: usize = 1024 * 1024;

/// Writes the rows of entries, trying until the store takes them. Rows that it will never take are parked.
pub(crate) async fn apply(shared: &Shared, entries: &[Entry]) {
    let mut backoff = Backoff::new();
    loop {
        let (batches, broken) = derive_all(shared, entries);
        let written = if batches.is_empty() { Ok(()) } else { shared.store().write_all(batches).await };
        match written {
            Ok(()) => {
                for (entry, reason) in broken {
                    park_entry(shared, entry, &reason).await;
                }
                return;
            }
            Err(error) if is_transient(&error) => {
                tracing::warn!(log = %shared.log, %error, "derived rows were not written; trying again");
                backoff.wait().await;
            }
            Err(error) => {
                tracing::error!(log = %shared.log, %error, "the store refused derived rows; writing them one by one");
                return apply_singly(shared, entries).await;
            }
        }
    }
}

/// The rows of all entries, merged by partition, and the entries that cannot be read. Derived anew for each try: keeping a copy for
/// the rare second one would cost more.
fn derive_all<'a>(shared: &Shared, entries: &'a [Entry]) -> (Vec<WriteBatch>, Vec<(&'a Entry, String)>) {
    let mut merger = Merger::default();
    let mut broken = Vec::new();
    for entry in entries {
        match derive(shared, entry) {
            Ok(rows) => merger.add(rows, entry.timestamp),
            Err(reason) => broken.push((entry, reason)),
        }
    }
    (merger.finish(), broken)
}

/// The rows of an entry: what the log's owner derives and what the log itself keeps.
fn derive(shared: &Shared, entry: &Entry) -> Result<Vec<DerivedRow>, String> {
    let mut rows = shared.applier.derive(entry)?;
    rows.extend(entry.request.map(|(id, _)| request_row(shared, entry, id)));
    rows.extend(entry.source.iter().map(|source| sources::row(entry.log, source)));
    Ok(rows)
}

fn request_row(shared: &Shared, entry: &Entry, id: banyan_core::RequestId) -> DerivedRow {
    let clustering = key![&id.to_bytes()[..], seq_key(entry.seq)];
    let write = Write::Put { clustering, value: Bytes::new(), ttl: Some(shared.config().request_memory) };
    DerivedRow { table: &LOG_REQUEST, partition: request_partition(entry.log, id), write }
}

/// The partition of `log_request` that holds a request.
pub(crate) fn request_partition(log: LogId, id: banyan_core::RequestId) -> Key {
    key![log.to_string(), requests::made_at(id).0 / 1_000_000]
}

const fn clustering(write: &Write) -> &Key {
    match write {
        Write::Put { clustering, .. } | Write::Delete { clustering } => clustering,
    }
}

/// Collects the rows of consecutive entries into few writes. A partition's rows are written with the timestamp of its last entry: no
/// other entry lies between, so nothing can tell the difference.
#[derive(Default)]
struct Merger {
    batches: Vec<WriteBatch>,
    sizes: Vec<usize>,
    open: HashMap<(&'static str, Key), usize>,
}

impl Merger {
    fn add(&mut self, rows: Vec<DerivedRow>, at: TimestampMicros) {
        for DerivedRow { table, partition, write } in without_beaten_deletes(rows) {
            let index = self.batch(table, partition, at);
            if let Write::Put { value, .. } = &write {
                self.sizes[index] += value.len();
            }
            self.batches[index].writes.push(write);
        }
    }

    fn batch(&mut self, table: &'static Table, partition: Key, at: TimestampMicros) -> usize {
        let slot = (table.name, partition);
        if let Some(index) = self.open.get(&slot).copied() {
            let batch = &mut self.batches[index];
            // An entry's rows of one partition stay together.
            if batch.at == at || (batch.writes.len() < MAX_ROWS && self.sizes[index] < MAX_BYTES) {
                batch.at = at;
                return index;
            }
        }
        let index = self.batches.len();
        self.batches.push(WriteBatch { table, partition: slot.1.clone(), writes: Vec::new(), at });
        self.sizes.push(0);
        self.open.insert(slot, index);
        index
    }

    fn finish(mut self) -> Vec<WriteBatch> {
        for batch in &mut self.batches {
            if batch.writes.len() > 1 && batch.writes.iter().any(|write| matches!(write, Write::Delete { .. })) {
                keep_last(&mut batch.writes);
            }
        }
        self.batches
    }
}

/// Within one entry a put beats a delete of the same row, whatever their order.
fn without_beaten_deletes(mut rows: Vec<DerivedRow>) -> Vec<DerivedRow> {
    let beaten = |row: &DerivedRow| {
        let Write::Delete { clustering: deleted } = &row.write else { return false };
        rows.iter().any(|other| {
            matches!(&other.write, Write::Put { clustering, .. } if clustering == deleted)
                && other.table.name == row.table.name
                && other.partition == row.partition
        })
    };
    let mut keep: std::vec::IntoIter<bool> = rows.iter().map(|row| !beaten(row)).collect::<Vec<_>>().into_iter();
    rows.retain(|_| keep.next().unwrap_or(true));
    rows
}

/// Of the writes to one row only the last one stays.
fn keep_last(writes: &mut Vec<Write>) {
    let mut last: HashMap<Key, usize> = HashMap::new();
    for (index, write) in writes.iter().enumerate() {
        last.insert(clustering(write).clone(), index);
    }
    let mut index = 0;
    writes.retain(|write| {
        let keep = last.get(clustering(write)) == Some(&index);
        index += 1;
        keep
    });
}

/// Writes entry by entry and partition by partition, so that only what the store refuses is parked.
async fn apply_singly(shared: &Shared, entries: &[Entry]) {
    for entry in entries {
        match derive(shared, entry) {
            Ok(rows) => {
                let mut merger = Merger::default();
                merger.add(rows, entry.timestamp);
                let mut position = 0;
                for batch in merger.finish() {
                    let next = position + i64::try_from(batch.writes.len()).unwrap_or(0);
                    if let Err(error) = write(shared, batch.clone()).await {
                        park_batch(shared, entry, position, &batch, &error.to_string()).await;
                    }
                    position = next;
                }
            }
            Err(reason) => park_entry(shared, entry, &reason).await,
        }
    }
}

/// Writes one batch, trying until the store takes it or refuses it for good.
async fn write(shared: &Shared, batch: WriteBatch) -> Result<(), StoreError> {
    let mut backoff = Backoff::new();
    loop {
        match shared.store().write(batch.clone()).await {
            Err(error) if is_transient(&error) => backoff.wait().await,
            answer => return answer,
        }
    }
}

async fn park_entry(shared: &Shared, entry: &Entry, reason: &str) {
    let row = wire::ParkedRow {
        reason: reason.to_owned(),
        value: entry.body.clone(),
        timestamp: entry.timestamp.0,
        ..Default::default()
    };
    park(shared, entry, 0, row).await;
}

async fn park_batch(shared: &Shared, entry: &Entry, position: i64, batch: &WriteBatch, reason: &str) {
    for (offset, write) in (0..).zip(&batch.writes) {
        let value = if let Write::Put { value, .. } = write { value.clone() } else { Bytes::new() };
        let row = wire::ParkedRow {
            reason: reason.to_owned(),
            table: batch.table.name.to_owned(),
            partition: format!("{:?}", batch.partition),
            clustering: format!("{:?}", clustering(write)),
            // What is too large for the table it was meant for is too large for this one: the entry has it still.
            value: if value.len() <= 512 * 1024 { value } else { Bytes::new() },
            delete: matches!(write, Write::Delete { .. }),
            timestamp: batch.at.0,
        };
        park(shared, entry, position + offset, row).await;
    }
}

async fn park(shared: &Shared, entry: &Entry, position: i64, row: wire::ParkedRow) {
    shared.metrics().parked_rows.add(1, &shared.attributes);
    tracing::error!(log = %entry.log, seq = %entry.seq, table = row.table, reason = row.reason, "parked a row that cannot be written");
    let clustering = key![seq_key(entry.seq), position];
    let put = Write::Put { clustering, value: row.encode_to_vec().into(), ttl: None };
    let batch = WriteBatch { table: &PARKED_ROW, partition: key![entry.log.to_string()], writes: vec![put], at: entry.timestamp };
    if let Err(error) = write(shared, batch).await {
        tracing::error!(log = %entry.log, seq = %entry.seq, %error, "the store refused a parked row, too; the entry keeps it");
    }
}

#[cfg(test)]
mod tests {
    use banyan_store::{Column, Compaction, Mode};

    use super::*;

    static TABLE: Table = Table {
        name: "t",
        partition: &[Column::int("p")],
        clustering: &[Column::int("c")],
        mode: Mode::Derived,
        compaction: Compaction::Leveled,
    };

    fn row(partition: i64, write: Write) -> DerivedRow {
        DerivedRow { table: &TABLE, partition: key![partition], write }
    }

    fn put(clustering: i64, value: &'static str) -> Write {
        Write::Put { clustering: key![clustering], value: Bytes::from_static(value.as_bytes()), ttl: None }
    }

    fn delete(clustering: i64) -> Write {
        Write::Delete { clustering: key![clustering] }
    }

    #[test]
    fn the_rows_of_a_batch_are_merged_by_partition() {
        let mut merger = Merger::default();
        merger.add(vec![row(1, put(1, "a")), row(2, put(1, "b"))], TimestampMicros(10));
        merger.add(vec![row(1, put(2, "c")), row(1, delete(1))], TimestampMicros(12));
        let batches = merger.finish();
        assert_eq!(batches.len(), 2);
        assert_eq!((batches[0].at, &batches[0].writes), (TimestampMicros(12), &vec![put(2, "c"), delete(1)]));
        assert_eq!((batches[1].at, &batches[1].writes), (TimestampMicros(10), &vec![put(1, "b")]));
    }

    #[test]
    fn within_an_entry_a_put_beats_a_delete() {
        let mut merger = Merger::default();
        merger.add(vec![row(1, put(1, "a")), row(1, delete(1)), row(1, delete(2))], TimestampMicros(10));
        assert_eq!(merger.finish()[0].writes, [put(1, "a"), delete(2)]);
    }
}
