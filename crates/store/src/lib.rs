//! The wide-column store below everything: tables of (partition key, clustering key) -> value, and the conditional operations of
//! shard logs. This crate alone knows of scylla and fjall.

mod cell;
pub mod check;
mod conditional;
pub mod cql;
pub mod embedded;
pub mod error;
pub mod key;
pub mod logs;
pub mod memory;
pub mod metered;
pub mod open;
pub mod table;
pub mod tables;

pub use error::StoreError;
pub use key::{Key, KeyPart};
pub use logs::{Append, Cas, Head, LogRow, LogStore, OwnerRow};
pub use open::{StoreConfig, open};
pub use table::{Column, ColumnType, Compaction, Mode, Table};
pub use tables::{Bound, Page, Range, Row, TableStore, Write, WriteBatch};

/// A backend: tables and logs together.
pub trait Store: TableStore + LogStore {}

impl<T: TableStore + LogStore> Store for T {}
