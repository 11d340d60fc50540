//! The schema, from the tables: what each table's definition is in CQL, and what one that exists must look like.

use crate::{Column, ColumnType, Compaction, Table};

/// Raised when a step is added to [`super::migrate`].
pub(super) const VERSION: i64 = 1;

/// A column as the database lists it: name, kind (`partition_key`, `clustering`, `regular`), position in its key, type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) position: i32,
    pub(super) cql_type: String,
}

/// A table to create.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) columns: Vec<ColumnInfo>,
    compaction: Compaction,
}

const fn cql_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Int => "bigint",
        ColumnType::Blob => "blob",
    }
}

fn key<'a>(kind: &'a str, columns: &'a [Column]) -> impl Iterator<Item = ColumnInfo> + 'a {
    columns.iter().zip(0..).map(move |(column, position)| ColumnInfo {
        name: column.name.to_owned(),
        kind: kind.to_owned(),
        position,
        cql_type: cql_type(column.kind).to_owned(),
    })
}

fn regular(name: &str, kind: ColumnType) -> ColumnInfo {
    ColumnInfo { name: name.to_owned(), kind: "regular".to_owned(), position: -1, cql_type: cql_type(kind).to_owned() }
}

impl Definition {
    pub(super) fn of(table: &Table) -> Self {
        let mut columns: Vec<_> = key("partition_key", table.partition).chain(key("clustering", table.clustering)).collect();
        columns.push(regular("value", ColumnType::Blob));
        Self { name: table.name, columns, compaction: table.compaction }
    }

    /// Who owns each log.
    pub(super) fn shard_owner() -> Self {
        let mut columns: Vec<_> = key("partition_key", &[Column::text("shard")]).collect();
        columns.extend(["epoch", "first_bucket", "hint_bucket"].map(|name| regular(name, ColumnType::Int)));
        columns.extend(["owner", "addr"].map(|name| regular(name, ColumnType::Text)));
        Self { name: "shard_owner", columns, compaction: Compaction::Leveled }
    }

    /// The logs: entries, and the head of each bucket in the row `seq = -1`.
    pub(super) fn shard_log() -> Self {
        let mut columns: Vec<_> = key("partition_key", &[Column::text("shard"), Column::int("bucket")]).collect();
        columns.extend(key("clustering", &[Column::int("seq")]));
        columns.extend(["epoch", "next_seq"].map(|name| regular(name, ColumnType::Int)));
        columns.extend(["hdr", "body", "batch_id"].map(|name| regular(name, ColumnType::Blob)));
        columns.push(regular("owner", ColumnType::Text));
        Self { name: "shard_log", columns, compaction: Compaction::SizeTiered }
    }

    /// `CREATE TABLE`; the keyspace goes where the `@` is.
    pub(super) fn create(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| format!("\"{}\" {}", column.name, column.cql_type)).collect();
        let named = |kind: &str| {
            let names: Vec<_> =
                self.columns.iter().filter(|column| column.kind == kind).map(|column| format!("\"{}\"", column.name)).collect();
            names.join(", ")
        };
        let clustering = named("clustering");
        let key = if clustering.is_empty() {
            format!("({})", named("partition_key"))
        } else {
            format!("({}), {clustering}", named("partition_key"))
        };
        let compaction = match self.compaction {
            Compaction::SizeTiered => "{'class': 'SizeTieredCompactionStrategy'}",
            Compaction::Leveled => "{'class': 'LeveledCompactionStrategy'}",
            Compaction::TimeWindow => {
                "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': 6}"
            }
        };
        format!(
            "CREATE TABLE IF NOT EXISTS @{} ({}, PRIMARY KEY ({key})) WITH compaction = {compaction}",
            self.name,
            columns.join(", ")
        )
    }

    /// What differs from the columns that are there, if anything.
    pub(super) fn difference(&self, mut found: Vec<ColumnInfo>) -> Option<String> {
        let mut wanted = self.columns.clone();
        wanted.sort();
        found.sort();
        let missing = wanted.iter().find(|column| !found.contains(column));
        let extra = found.iter().find(|column| !wanted.contains(column));
        match (missing, extra) {
            (None, None) => None,
            (Some(column), _) => {
                Some(format!("column {} {} ({}) is missing or different", column.name, column.cql_type, column.kind))
            }
            (None, Some(column)) => Some(format!("column {} is none of Banyan's", column.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn a_table_reads_as_cql() {
        const TABLE: Table = Table {
            name: "timeline",
            partition: &[Column::text("room"), Column::int("bucket")],
            clustering: &[Column::int("place")],
            mode: Mode::Derived,
            compaction: Compaction::Leveled,
        };
        assert_eq!(
            Definition::of(&TABLE).create(),
            "CREATE TABLE IF NOT EXISTS @timeline (\"room\" text, \"bucket\" bigint, \"place\" bigint, \"value\" blob, \
             PRIMARY KEY ((\"room\", \"bucket\"), \"place\")) WITH compaction = {'class': 'LeveledCompactionStrategy'}"
        );
        assert!(Definition::shard_owner().create().contains("PRIMARY KEY ((\"shard\"))"));
    }

    #[test]
    fn a_different_column_is_noticed() {
        let wanted = Definition::shard_log();
        assert_eq!(wanted.difference(wanted.columns.clone()), None);
        let mut found = wanted.columns.clone();
        found[0].cql_type = "blob".to_owned();
        assert!(wanted.difference(found).is_some_and(|difference| difference.contains("shard text")));
    }
}
