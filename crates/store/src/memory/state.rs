//! What the memory store holds, and how a write changes it. No faults here.

use std::{collections::BTreeMap, ops::Bound as OpsBound};

use banyan_core::{LogId, LogSeq, TimestampMicros};

use crate::{
    Bound, Cas, Head, Key, LogRow, OwnerRow, Page, Range, Row, Table, WriteBatch,
    cell::{Cell, cells},
    conditional::{Conditional, HeadWrite, Outcome, OwnerWrite, RowId, ValueWrite},
};

type Rows = BTreeMap<Key, Cell>;

/// One bucket of a log.
#[derive(Clone, Debug, Default)]
struct Bucket {
    head: Option<Head>,
    rows: BTreeMap<LogSeq, LogRow>,
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

/// A partition of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Partition {
    Table(&'static str, Key),
    Owner(LogId),
    Bucket(LogId, u64),
}

impl Before {
    /// Whether only a store that forgets its promises may take this back.
    pub(super) const fn is_conditional(&self) -> bool {
        !matches!(self, Self::Cells { conditional: false, .. })
    }

    pub(super) fn partition(&self) -> Partition {
        match self {
            Self::Cells { table, partition, .. } => Partition::Table(table, partition.clone()),
            Self::Owner(log, _) => Partition::Owner(*log),
            Self::Head { log, bucket, .. } => Partition::Bucket(*log, *bucket),
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

    /// A copy that holds nothing but one partition.
    pub(super) fn only(&self, partition: &Partition) -> Self {
        let mut copy = Self::default();
        match partition {
            Partition::Table(table, partition) => {
                if let Some(rows) = self.tables.get(table).and_then(|partitions| partitions.get(partition)) {
                    copy.tables.entry(table).or_default().insert(partition.clone(), rows.clone());
                }
            }
            Partition::Owner(log) => copy.owners.extend(self.owners.get(log).map(|row| (*log, row.clone()))),
            Partition::Bucket(log, bucket) => {
                let key = (*log, *bucket);
                copy.buckets.extend(self.buckets.get(&key).map(|bucket| (key, bucket.clone())));
            }
        }
        copy
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
        let mut changed = Vec::new();
        for (key, cell) in cells(batch, now) {
            let old = rows.get(key);
            if old.is_none_or(|old| cell.beats(old)) {
                changed.push((key.clone(), old.cloned()));
                rows.insert(key.clone(), cell);
            }
        }
        Before::Cells { table: batch.table.name, partition: batch.partition.clone(), cells: changed, conditional: false }
    }

    fn apply_conditional(&mut self, write: &Conditional, now: TimestampMicros) -> (Outcome, Option<Before>) {
        match write {
            Conditional::Owner(log, write) => self.write_owner(*log, write),
            Conditional::Head(log, bucket, write) => self.write_head(*log, *bucket, write),
            Conditional::Value(row, write) => self.write_value(row, write, now),
        }
    }

    fn write_owner(&mut self, log: LogId, write: &OwnerWrite) -> (Outcome, Option<Before>) {
        let old = self.owners.get(&log).cloned();
        let Some(row) = write.decide(old.as_ref()) else {
            return (Outcome::Owner(Cas::Refused(old)), None);
        };
        self.owners.insert(log, row);
        (Outcome::Owner(Cas::Applied), Some(Before::Owner(log, old)))
    }

    fn write_head(&mut self, log: LogId, bucket: u64, write: &HeadWrite) -> (Outcome, Option<Before>) {
        let stored = self.buckets.entry((log, bucket)).or_default();
        let Some(head) = write.decide(stored.head.as_ref()) else {
            return (Outcome::Head(Cas::Refused(stored.head.clone())), None);
        };
        let old = stored.head.replace(head);
        let rows = if let HeadWrite::Append(batch) = write { batch.rows.as_slice() } else { &[] };
        stored.rows.extend(rows.iter().map(|row| (row.seq, row.clone())));
        let appended = rows.iter().map(|row| row.seq).collect();
        (Outcome::Head(Cas::Applied), Some(Before::Head { log, bucket, head: old, appended }))
    }

    fn write_value(&mut self, row: &RowId, write: &ValueWrite, now: TimestampMicros) -> (Outcome, Option<Before>) {
        let rows = self.tables.entry(row.table).or_default().entry(row.partition.clone()).or_default();
        let old = rows.get(&row.clustering).cloned();
        let current = old.as_ref().and_then(|cell| cell.live(now));
        let Some((value, expires)) = write.decide(current) else {
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
