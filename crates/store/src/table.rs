//! Tables as data: what the CQL schema is generated from and what every backend checks keys against.

/// The type of a key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `text`
    Text,
    /// `bigint`
    Int,
    /// `blob`
    Blob,
}

/// A key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its CQL name.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
}

impl Column {
    /// A `text` column.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Text }
    }

    /// A `bigint` column.
    #[must_use]
    pub const fn int(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Int }
    }

    /// A `blob` column.
    #[must_use]
    pub const fn blob(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Blob }
    }
}

/// How rows of a table may be written. A table is one of these for ever: conditional and timestamped writes must not mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Timestamped writes only, last writer wins; may be lost in a crash of the store and is then derived again from a log.
    Derived,
    /// Conditional writes only, synced before they are acknowledged.
    Conditional,
    /// Like `Derived`, with a time to live on every row; losing rows costs only time.
    Cache,
}

/// The compaction strategy that fits a table's use (CQL backends only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// Written once, read in order: logs, timelines, events.
    SizeTiered,
    /// Overwritten and read by point: heads, members, account data.
    Leveled,
    /// Every row has a time to live.
    TimeWindow,
}

/// A table: `PRIMARY KEY ((partition…), clustering…)`, `value blob`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its CQL name.
    pub name: &'static str,
    /// The partition key's columns; at least one. A partition stays under 100,000 rows.
    pub partition: &'static [Column],
    /// The clustering key's columns, ascending; may be empty (one row per partition).
    pub clustering: &'static [Column],
    /// How rows are written.
    pub mode: Mode,
    /// Compaction strategy.
    pub compaction: Compaction,
}
