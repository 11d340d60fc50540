//! Reads and writes of tables.

use std::{ops, time::Duration};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;

use crate::{Cas, Key, StoreError, Table};

/// A row as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its clustering key, whole.
    pub clustering: Key,
    /// Its value.
    pub value: Bytes,
    /// The timestamp it was written with; zero in [`crate::Mode::Conditional`] tables.
    pub written: TimestampMicros,
}

/// The end of a range of clustering keys. The key may be a prefix of the clustering columns: `Included` then takes every row that
/// begins with it, `Excluded` none of them, as in CQL's `(a, b) <= (?, ?)` on a prefix.
pub type Bound = ops::Bound<Key>;

/// Which rows of one partition to read.
#[derive(Clone, Debug)]
pub struct Range {
    /// The lower end.
    pub from: Bound,
    /// The upper end.
    pub to: Bound,
    /// Descending order, starting at `to`.
    pub reverse: bool,
    /// At most so many rows (1 to 10,000).
    pub limit: usize,
}

impl Range {
    /// A whole partition in ascending order, at most `limit` rows.
    #[must_use]
    pub const fn all(limit: usize) -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded, reverse: false, limit }
    }

    /// Every row whose clustering key begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Key, limit: usize) -> Self {
        Self { from: Bound::Included(prefix.clone()), to: Bound::Included(prefix), reverse: false, limit }
    }

    /// The same range in descending order.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// The range that is left after `last` was read in this range's direction: how to page.
    #[must_use]
    pub fn after(mut self, last: Key) -> Self {
        let end = Bound::Excluded(last);
        if self.reverse {
            self.to = end;
        } else {
            self.from = end;
        }
        self
    }
}

/// Rows of a range, and whether more may follow them.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The rows, in the range's order.
    pub rows: Vec<Row>,
    /// Whether the limit cut the range short; go on with [`Range::after`] the last row.
    pub more: bool,
}

/// One change to a row of a [`crate::Mode::Derived`] or [`crate::Mode::Cache`] table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the row. `ttl` is required in `Cache` tables and refused elsewhere.
    Put {
        /// The whole clustering key.
        clustering: Key,
        /// The value, at most 1 MiB.
        value: Bytes,
        /// Seconds to live, rounded up.
        ttl: Option<Duration>,
    },
    /// Removes the row.
    Delete {
        /// The whole clustering key.
        clustering: Key,
    },
}

/// Changes to one partition that happen together or not at all, at most 4 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBatch {
    /// The table.
    pub table: &'static Table,
    /// The partition.
    pub partition: Key,
    /// The changes; the last one of a clustering key counts.
    pub writes: Vec<Write>,
    /// What decides between writers of a row: the higher one wins. Puts are written with this plus one, deletes with this itself, so
    /// within one log entry a put beats a delete.
    pub at: TimestampMicros,
}

/// Tables of rows. All reads see every write that was acknowledged before they began (QUORUM); a write that is under way, or whose
/// outcome its caller does not know, may be seen by one read and missed by the next.
#[async_trait]
pub trait TableStore: Send + Sync + 'static {
    /// Reads one row.
    async fn get(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Row>, StoreError>;

    /// Reads many rows, (partition, clustering) each, in the order asked. At most 10,000.
    async fn multi_get(&self, table: &'static Table, keys: &[(Key, Key)]) -> Result<Vec<Option<Row>>, StoreError>;

    /// Reads rows of one partition in order.
    async fn scan(&self, table: &'static Table, partition: &Key, range: Range) -> Result<Page, StoreError>;

    /// Writes timestamped rows of one partition, atomically. Repeating it is harmless.
    async fn write(&self, batch: WriteBatch) -> Result<(), StoreError>;

    /// Writes many batches, each atomic for itself, in any order; returns when all are done. On an error some may have happened.
    async fn write_all(&self, batches: Vec<WriteBatch>) -> Result<(), StoreError>;

    /// Inserts a row of a [`crate::Mode::Conditional`] table unless there is one (`INSERT … IF NOT EXISTS`).
    async fn insert(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError>;

    /// Replaces (`Some`) or removes (`None`) a row of a conditional table if its value is `expected`.
    async fn replace(
        &self,
        table: &'static Table,
        partition: &Key,
        clustering: &Key,
        expected: Bytes,
        value: Option<Bytes>,
        ttl: Option<Duration>,
    ) -> Result<Cas<Bytes>, StoreError>;

    /// Reads a row of a conditional table at SERIAL: completes whatever conditional write is half done.
    async fn get_serial(&self, table: &'static Table, partition: &Key, clustering: &Key) -> Result<Option<Bytes>, StoreError>;
}
