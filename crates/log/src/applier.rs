//! What a log's owner brings: the rows that follow from entries.

use banyan_store::{Key, Table, Write};

use crate::Entry;

/// A row that follows from an entry. Written with the entry's timestamp.
#[derive(Clone, Debug)]
pub struct DerivedRow {
    /// Its table, in mode `Derived` or `Cache`.
    pub table: &'static Table,
    /// Its partition.
    pub partition: Key,
    /// The change.
    pub write: Write,
}

/// Turns entries into rows. Pure: the same entry gives the same rows, so that replay is harmless.
pub trait Applier: Send + Sync + 'static {
    /// The rows of an entry. An entry that cannot be read is an error: it is parked with an alarm and never blocks its shard.
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String>;
}
