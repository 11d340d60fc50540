//! What the memory store holds, and how a write changes it. No faults here.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound as OpsBound,
};

use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};
use bytes::Bytes;

use crate::{Append, Bound, Cas, Head, Key, LogRow, OwnerRow, Page, Range, Row, Table, Write, WriteBatch, check::ttl_seconds};

/// A row, or the mark of a deleted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// `None`: deleted.
    value: Option<Bytes>,
    written: TimestampMicros,
    expires: Option<TimestampMicros>,
}

impl Cell {
    fn live(&self, now: TimestampMicros) -> Option<&Bytes> {
        self.value.as_ref().filter(|_| self.expires.is_none_or(|expires| now < expires))
    }

    /// Last writer wins; on a tie a delete, else the larger value, as in CQL.
    fn beats(&self, other: &Self) -> bool {
        let rank = |cell: &Self| (cell.written, cell.value.is_none(), cell.value.clone());
        rank(self) > rank(other)
    }
}

type Rows = BTreeMap<Key, Cell>;

/// One bucket of a log.
#[derive(Clone, Debug, Default)]
struct Bucket {
    head: Option<Head>,
    rows: BTreeMap<LogSeq, LogRow>,
}

/// A conditional write, kept whole so that it can happen late or twice.
#[derive(Clone, Debug)]
pub(super) enum Conditional {
    CreateOwner(LogId, OwnerRow),
    ReplaceOwner(LogId, Epoch, OwnerRow),
    CreateHead(LogId, u64, Head),
    RaiseHead(LogId, u64, Epoch, String),
    Append(LogId, Append),
    Insert(RowId, Bytes, Option<TimestampMicros>),
    Replace(RowId, Bytes, Option<Bytes>, Option<TimestampMicros>),
}

/// A row of a conditional table.
#[derive(Clone, Debug)]
pub(super) struct RowId {
    pub(super) table: &'static str,
    pub(super) partition: Key,
    pub(super) clustering: Key,
}

/// What a conditional write answers, by what it wrote.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Owner(Cas<OwnerRow>),
    Head(Cas<Head>),
    Value(Cas<Bytes>),
}

/// A write of any kind.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Conditional(Conditional),
    Derived(WriteBatch),
    DropBucket(LogId, u64),
}

/// The partition a write changed, and what was there before: how a crash takes writes back.
#[derive(Clone, Debug)]
pub(super) enum Before {
    Cells { table: &'static str, partition: Key, cells: Vec<(Key, Option<Cell>)>, conditional: bool },
    Owner(LogId, Option<OwnerRow>),
    Head { log: LogId, bucket: u64, head: Option<Head>, appended: Vec<LogSeq> },
}

impl Before {
    /// Whether only a store that forgets its promises may take this back.
    pub(super) const fn is_conditional(&self) -> bool {
        !matches!(self, Self::Cells { conditional: false, .. })
    }

    /// The partition's name: a crash forgets a suffix of each partition's writes.
    pub(super) fn partition(&self) -> (String, Key) {
        match self {
            Self::Cells { table, partition, .. } => ((*table).to_owned(), partition.clone()),
            Self::Owner(log, _) => (format!("shard_owner {log}"), Key::new()),
            Self::Head { log, bucket, .. } => (format!("shard_log {log} {bucket}"), Key::new()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    tables: BTreeMap<&'static str, BTreeMap<Key, Rows>>,
    owners: BTreeMap<LogId, OwnerRow>,
    buckets: BTreeMap<(LogId, u64), Bucket>,
}

impl State {
    pub(super) fn get(&self, table: &Table, partition: &Key, clustering: &Key, now: TimestampMicros) -> Option<Row> {
        let cell = self.tables.get(table.name)?.get(partition)?.get(clustering)?;
        let value = cell.live(now)?.clone();
        Some(Row { clustering: clustering.clone(), value, written: cell.written })
    }

    pub(super) fn scan(&self, table: &Table, partition: &Key, range: &Range, now: TimestampMicros) -> Page {
        let Some(rows) = self.tables.get(table.name).and_then(|partitions| partitions.get(partition)) else {
            return Page::default();
        };
        let live = rows.iter().filter(|(key, _)| within(key, &range.from, &range.to)).filter_map(|(key, cell)| {
            let value = cell.live(now)?.clone();
            Some(Row { clustering: key.clone(), value, written: cell.written })
        });
        let mut rows: Vec<Row> =
            if range.reverse { live.rev().take(range.limit + 1).collect() } else { live.take(range.limit + 1).collect() };
        let more = rows.len() > range.limit;
        rows.truncate(range.limit);
        Page { rows, more }
    }

    pub(super) fn owner(&self, log: LogId) -> Option<OwnerRow> {
        self.owners.get(&log).cloned()
    }

    pub(super) fn head(&self, log: LogId, bucket: u64) -> Option<Head> {
        self.buckets.get(&(log, bucket)).and_then(|bucket| bucket.head.clone())
    }

    pub(super) fn log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Vec<LogRow> {
        let Some(bucket) = self.buckets.get(&(log, bucket)) else { return Vec::new() };
        bucket.rows.range(from..).take(limit).map(|(_, row)| row.clone()).collect()
    }

    /// Makes a change; answers what it did (conditional ones) and how to take it back (unless nothing changed).
    pub(super) fn apply(&mut self, change: &Change, now: TimestampMicros) -> (Option<Outcome>, Option<Before>) {
        match change {
            Change::Conditional(write) => {
                let (outcome, before) = self.apply_conditional(write, now);
                (Some(outcome), before)
            }
            Change::Derived(batch) => (None, Some(self.apply_derived(batch, now))),
            Change::DropBucket(log, bucket) => {
                if let Some(bucket) = self.buckets.get_mut(&(*log, *bucket)) {
                    bucket.rows.clear();
                }
                (None, None)
            }
        }
    }

    fn apply_derived(&mut self, batch: &WriteBatch, now: TimestampMicros) -> Before {
        let rows = self.tables.entry(batch.table.name).or_default().entry(batch.partition.clone()).or_default();
        let mut cells = Vec::new();
        for (key, cell) in last_writes(batch, now) {
            let old = rows.get(&key);
            if old.is_none_or(|old| cell.beats(old)) {
                cells.push((key.clone(), old.cloned()));
                rows.insert(key, cell);
            }
        }
        Before::Cells { table: batch.table.name, partition: batch.partition.clone(), cells, conditional: false }
    }

    fn apply_conditional(&mut self, write: &Conditional, now: TimestampMicros) -> (Outcome, Option<Before>) {
        match write {
            Conditional::CreateOwner(log, row) => self.set_owner(*log, row, |old| old.is_none()),
            Conditional::ReplaceOwner(log, expected, row) => {
                self.set_owner(*log, row, |old| old.is_some_and(|old| old.epoch == *expected))
            }
            Conditional::CreateHead(log, bucket, head) => {
                self.set_head(*log, *bucket, &[], |old| if old.is_none() { Some(head.clone()) } else { None })
            }
            Conditional::RaiseHead(log, bucket, epoch, owner) => self.set_head(*log, *bucket, &[], |old| {
                old.filter(|old| old.epoch < *epoch).map(|old| Head { epoch: *epoch, owner: owner.clone(), ..old.clone() })
            }),
            Conditional::Append(log, batch) => self.set_head(*log, batch.bucket, &batch.rows, |old| {
                let next_seq = batch.next_seq.plus(batch.rows.len() as u64);
                old.filter(|old| old.epoch == batch.epoch && old.next_seq == batch.next_seq).map(|old| Head {
                    next_seq,
                    batch_id: batch.batch_id,
                    ..old.clone()
                })
            }),
            Conditional::Insert(row, value, expires) => {
                self.set_value(row, now, |old| if old.is_none() { Some((Some(value.clone()), *expires)) } else { None })
            }
            Conditional::Replace(row, expected, value, expires) => {
                self.set_value(row, now, |old| if old == Some(expected) { Some((value.clone(), *expires)) } else { None })
            }
        }
    }

    fn set_owner(
        &mut self,
        log: LogId,
        row: &OwnerRow,
        condition: impl Fn(Option<&OwnerRow>) -> bool,
    ) -> (Outcome, Option<Before>) {
        let old = self.owners.get(&log).cloned();
        if !condition(old.as_ref()) {
            return (Outcome::Owner(Cas::Refused(old)), None);
        }
        self.owners.insert(log, row.clone());
        (Outcome::Owner(Cas::Applied), Some(Before::Owner(log, old)))
    }

    fn set_head(
        &mut self,
        log: LogId,
        bucket: u64,
        rows: &[LogRow],
        new: impl Fn(Option<&Head>) -> Option<Head>,
    ) -> (Outcome, Option<Before>) {
        let stored = match self.buckets.entry((log, bucket)) {
            btree_map::Entry::Vacant(entry) => entry.insert(Bucket::default()),
            btree_map::Entry::Occupied(entry) => entry.into_mut(),
        };
        let Some(head) = new(stored.head.as_ref()) else {
            return (Outcome::Head(Cas::Refused(stored.head.clone())), None);
        };
        let old = stored.head.replace(head);
        stored.rows.extend(rows.iter().map(|row| (row.seq, row.clone())));
        let appended = rows.iter().map(|row| row.seq).collect();
        (Outcome::Head(Cas::Applied), Some(Before::Head { log, bucket, head: old, appended }))
    }

    fn set_value(
        &mut self,
        row: &RowId,
        now: TimestampMicros,
        new: impl Fn(Option<&Bytes>) -> Option<(Option<Bytes>, Option<TimestampMicros>)>,
    ) -> (Outcome, Option<Before>) {
        let rows = self.tables.entry(row.table).or_default().entry(row.partition.clone()).or_default();
        let old = rows.get(&row.clustering).cloned();
        let current = old.as_ref().and_then(|cell| cell.live(now));
        let Some((value, expires)) = new(current) else {
            return (Outcome::Value(Cas::Refused(current.cloned())), None);
        };
        rows.insert(row.clustering.clone(), Cell { value, written: TimestampMicros(0), expires });
        let cells = vec![(row.clustering.clone(), old)];
        let before = Before::Cells { table: row.table, partition: row.partition.clone(), cells, conditional: true };
        (Outcome::Value(Cas::Applied), Some(before))
    }

    /// Takes a change back.
    pub(super) fn undo(&mut self, before: Before) {
        match before {
            Before::Cells { table, partition, cells, .. } => {
                let rows = self.tables.entry(table).or_default().entry(partition).or_default();
                for (key, cell) in cells {
                    match cell {
                        Some(cell) => rows.insert(key, cell),
                        None => rows.remove(&key),
                    };
                }
            }
            Before::Owner(log, Some(row)) => drop(self.owners.insert(log, row)),
            Before::Owner(log, None) => drop(self.owners.remove(&log)),
            Before::Head { log, bucket, head, appended } => {
                let stored = self.buckets.entry((log, bucket)).or_default();
                stored.head = head;
                for seq in appended {
                    stored.rows.remove(&seq);
                }
            }
        }
    }
}

/// A batch's cells; of several writes to one row the last.
fn last_writes(batch: &WriteBatch, now: TimestampMicros) -> BTreeMap<Key, Cell> {
    let mut cells = BTreeMap::new();
    for write in &batch.writes {
        let (key, cell) = match write {
            Write::Put { clustering, value, ttl } => {
                let expires = ttl.map(|ttl| expiry(now, ttl));
                let written = TimestampMicros(batch.at.0.saturating_add(1));
                (clustering, Cell { value: Some(value.clone()), written, expires })
            }
            Write::Delete { clustering } => (clustering, Cell { value: None, written: batch.at, expires: None }),
        };
        cells.insert(key.clone(), cell);
    }
    cells
}

/// When a row written now with this time to live ends.
pub(super) fn expiry(now: TimestampMicros, ttl: std::time::Duration) -> TimestampMicros {
    TimestampMicros(now.0 + i64::from(ttl_seconds(ttl)) * 1_000_000)
}

fn within(key: &Key, from: &Bound, to: &Bound) -> bool {
    let prefix = |bound: &Key| key[..bound.len().min(key.len())].cmp(bound.as_slice());
    let above = match from {
        OpsBound::Unbounded => true,
        OpsBound::Included(bound) => prefix(bound).is_ge(),
        OpsBound::Excluded(bound) => prefix(bound).is_gt(),
    };
    above
        && match to {
            OpsBound::Unbounded => true,
            OpsBound::Included(bound) => prefix(bound).is_le(),
            OpsBound::Excluded(bound) => prefix(bound).is_lt(),
        }
}
