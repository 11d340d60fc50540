//! The rules that every backend holds callers to, so that what works on one works on all.

use std::{collections::BTreeMap, ops::Bound as OpsBound, time::Duration};

use bytes::Bytes;

use crate::{Append, Bound, Column, ColumnType, Key, KeyPart, Mode, Range, StoreError, Table, Write, WriteBatch};

/// Largest value of a row, bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// Largest sum of keys and values of a [`WriteBatch`], bytes.
pub const MAX_BATCH: usize = 4 << 20;
/// Most changes in a [`WriteBatch`].
pub const MAX_BATCH_WRITES: usize = 10_000;
/// Largest partition key or clustering key, bytes over all its parts.
pub const MAX_KEY: usize = 8 << 10;
/// Most rows that one read may ask for.
pub const MAX_READ: usize = 10_000;
/// Sequences per bucket of a shard log.
pub const BUCKET: u64 = 1024;
/// Most entries of an [`Append`].
pub const MAX_APPEND_ROWS: usize = 256;
/// Largest sum of headers and bodies of an [`Append`], bytes.
pub const MAX_APPEND: usize = 1 << 20;
/// Largest entry (header and body), bytes.
pub const MAX_ENTRY: usize = 96 << 10;

/// Names that the backends need for themselves.
const RESERVED: &[&str] = &["shard_owner", "shard_log"];

/// The tables a store was opened with.
#[derive(Clone, Debug)]
pub(crate) struct Tables(BTreeMap<&'static str, &'static Table>);

impl Tables {
    /// Takes the tables of all crates; refuses names that clash or that CQL could not take.
    pub(crate) fn new(tables: &[&'static Table]) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for table in tables {
            check_definition(table)?;
            if let Some(other) = known.insert(table.name, *table)
                && other != *table
            {
                return Err(StoreError::Setup(format!("two tables are called {}", table.name)));
            }
        }
        Ok(Self(known))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Table> + '_ {
        self.0.values().copied()
    }

    fn check_known(&self, table: &Table) -> Result<(), StoreError> {
        match self.0.get(table.name) {
            Some(known) if *known == table => Ok(()),
            _ => Err(refused(table, "is not among the tables this store was opened with")),
        }
    }

    /// A row's whole key.
    pub(crate) fn check_row(&self, table: &Table, partition: &Key, clustering: &Key) -> Result<(), StoreError> {
        self.check_partition(table, partition)?;
        check_whole(table, "clustering key", table.clustering, clustering)
    }

    fn check_partition(&self, table: &Table, partition: &Key) -> Result<(), StoreError> {
        self.check_known(table)?;
        check_whole(table, "partition key", table.partition, partition)?;
        // Cassandra refuses an empty partition key; only a single column can make one.
        if partition.len() == 1 && part_size(&partition[0]) == 0 {
            return Err(refused(table, "has an empty partition key"));
        }
        Ok(())
    }

    pub(crate) fn check_multi_get(&self, table: &Table, keys: &[(Key, Key)]) -> Result<(), StoreError> {
        if keys.len() > MAX_READ {
            return Err(refused(table, &format!("{} rows were asked for at once, {MAX_READ} are the limit", keys.len())));
        }
        keys.iter().try_for_each(|(partition, clustering)| self.check_row(table, partition, clustering))
    }

    /// Checks a range and turns bounds that exclude nothing into [`OpsBound::Unbounded`].
    pub(crate) fn check_range(&self, table: &Table, partition: &Key, mut range: Range) -> Result<Range, StoreError> {
        self.check_partition(table, partition)?;
        if !(1..=MAX_READ).contains(&range.limit) {
            return Err(refused(table, &format!("a range of {} rows was asked for, 1 to {MAX_READ} are allowed", range.limit)));
        }
        check_bound(table, &mut range.from)?;
        check_bound(table, &mut range.to)?;
        Ok(range)
    }

    pub(crate) fn check_batch(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        let table = batch.table;
        self.check_partition(table, &batch.partition)?;
        if table.mode == Mode::Conditional {
            return Err(refused(table, "takes conditional writes only"));
        }
        if batch.writes.len() > MAX_BATCH_WRITES {
            return Err(refused(table, &format!("more than {MAX_BATCH_WRITES} changes in one batch")));
        }
        let mut size = 0;
        for write in &batch.writes {
            size += Self::check_write(table, write)?;
        }
        if size > MAX_BATCH {
            return Err(refused(table, &format!("a batch of {size} bytes, {MAX_BATCH} are the limit")));
        }
        Ok(())
    }

    fn check_write(table: &Table, write: &Write) -> Result<usize, StoreError> {
        match write {
            Write::Delete { clustering } => {
                check_whole(table, "clustering key", table.clustering, clustering)?;
                Ok(key_size(clustering))
            }
            Write::Put { clustering, value, ttl } => {
                check_whole(table, "clustering key", table.clustering, clustering)?;
                check_value(table, value)?;
                match (table.mode, ttl) {
                    (Mode::Cache, None) => return Err(refused(table, "needs a time to live on every row")),
                    (Mode::Derived | Mode::Conditional, Some(_)) => return Err(refused(table, "takes no time to live")),
                    (Mode::Cache, Some(ttl)) => check_ttl(table, *ttl)?,
                    (Mode::Derived | Mode::Conditional, None) => {}
                }
                Ok(key_size(clustering) + value.len())
            }
        }
    }

    /// A conditional write or read.
    pub(crate) fn check_conditional(&self, table: &Table, partition: &Key, clustering: &Key) -> Result<(), StoreError> {
        self.check_row(table, partition, clustering)?;
        if table.mode != Mode::Conditional {
            return Err(refused(table, "takes no conditional writes"));
        }
        Ok(())
    }

    pub(crate) fn check_conditional_value(&self, table: &Table, value: &Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        check_value(table, value)?;
        ttl.map_or(Ok(()), |ttl| check_ttl(table, ttl))
    }
}

/// Seconds to live, rounded up.
pub(crate) fn ttl_seconds(ttl: Duration) -> u32 {
    let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(MAX_TTL)
}

/// CQL's limit: 20 years.
const MAX_TTL: u32 = 630_720_000;

fn check_ttl(table: &Table, ttl: Duration) -> Result<(), StoreError> {
    if ttl.is_zero() || ttl > Duration::from_secs(u64::from(MAX_TTL)) {
        return Err(refused(table, "takes times to live from above zero to 20 years"));
    }
    Ok(())
}

/// The rules of [`Append`].
pub(crate) fn check_append(batch: &Append) -> Result<(), StoreError> {
    let refused = |what: String| Err(StoreError::Refused(format!("append: {what}")));
    if batch.batch_id == 0 {
        return refused("the batch id is zero".to_owned());
    }
    if batch.rows.is_empty() || batch.rows.len() > MAX_APPEND_ROWS {
        return refused(format!("{} entries, 1 to {MAX_APPEND_ROWS} are allowed", batch.rows.len()));
    }
    let mut size = 0;
    for (row, n) in batch.rows.iter().zip(0_u64..) {
        if row.seq != batch.next_seq.plus(n) || row.seq.0 / BUCKET != batch.bucket {
            return refused(format!("entry {} does not belong at {} of bucket {}", row.seq, batch.next_seq.plus(n), batch.bucket));
        }
        let entry = row.header.len() + row.body.len();
        if entry > MAX_ENTRY {
            return refused(format!("an entry of {entry} bytes, {MAX_ENTRY} are the limit"));
        }
        size += entry;
    }
    if size > MAX_APPEND {
        return refused(format!("{size} bytes, {MAX_APPEND} are the limit"));
    }
    Ok(())
}

/// Bytes of a key over all parts.
pub(crate) fn key_size(key: &Key) -> usize {
    key.iter().map(part_size).sum()
}

fn part_size(part: &KeyPart) -> usize {
    match part {
        KeyPart::Int(_) => 8,
        KeyPart::Text(text) => text.len(),
        KeyPart::Blob(blob) => blob.len(),
    }
}

fn check_value(table: &Table, value: &Bytes) -> Result<(), StoreError> {
    if value.len() > MAX_VALUE {
        return Err(refused(table, &format!("a value of {} bytes, {MAX_VALUE} are the limit", value.len())));
    }
    Ok(())
}

fn check_whole(table: &Table, what: &str, columns: &[Column], key: &Key) -> Result<(), StoreError> {
    if key.len() != columns.len() {
        return Err(refused(table, &format!("has a {what} of {} columns, {} were given", columns.len(), key.len())));
    }
    check_parts(table, what, columns, key)
}

fn check_parts(table: &Table, what: &str, columns: &[Column], key: &Key) -> Result<(), StoreError> {
    for (part, column) in key.iter().zip(columns) {
        let fits = matches!(
            (part, column.kind),
            (KeyPart::Int(_), ColumnType::Int) | (KeyPart::Text(_), ColumnType::Text) | (KeyPart::Blob(_), ColumnType::Blob)
        );
        if !fits {
            return Err(refused(table, &format!("column {} of the {what} is a {:?}", column.name, column.kind)));
        }
    }
    let size = key_size(key);
    if size > MAX_KEY {
        return Err(refused(table, &format!("a {what} of {size} bytes, {MAX_KEY} are the limit")));
    }
    Ok(())
}

fn check_bound(table: &Table, bound: &mut Bound) -> Result<(), StoreError> {
    match bound {
        OpsBound::Unbounded => return Ok(()),
        OpsBound::Included(key) | OpsBound::Excluded(key) if key.len() > table.clustering.len() => {
            return Err(refused(table, "a bound has more parts than the clustering key"));
        }
        OpsBound::Included(key) if key.is_empty() => *bound = OpsBound::Unbounded,
        OpsBound::Excluded(key) if key.is_empty() => return Err(refused(table, "an empty bound excludes every row")),
        OpsBound::Included(key) | OpsBound::Excluded(key) => check_parts(table, "bound", table.clustering, key)?,
    }
    Ok(())
}

fn check_definition(table: &Table) -> Result<(), StoreError> {
    let wrong = |what: &str| Err(StoreError::Setup(format!("table {:?}: {what}", table.name)));
    if !is_cql_name(table.name) || RESERVED.contains(&table.name) || table.name.starts_with("banyan_") {
        return wrong("not a name for a table");
    }
    if table.partition.is_empty() {
        return wrong("needs a partition key");
    }
    let mut names = vec!["value"];
    for column in table.partition.iter().chain(table.clustering) {
        if !is_cql_name(column.name) || names.contains(&column.name) {
            return wrong(&format!("{:?} is no name for a column, or there twice", column.name));
        }
        names.push(column.name);
    }
    Ok(())
}

pub(crate) fn is_cql_name(name: &str) -> bool {
    (1..=48).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn refused(table: &Table, what: &str) -> StoreError {
    StoreError::Refused(format!("table {}: {what}", table.name))
}
