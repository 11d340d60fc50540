//! The text of the statements on a table. Every one binds the whole partition key. Names of key columns are quoted: what is a plain word
//! to a table's author (`token`) may be a reserved one of CQL.

use std::ops::Bound as OpsBound;

use crate::{Bound, Column, Range, Table};

fn equal<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| format!("\"{}\" = ?", column.name)).collect::<Vec<_>>().join(" AND ")
}

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn row(table: &Table) -> String {
    equal(table.partition.iter().chain(table.clustering))
}

/// Binds the row's key. Gives the value and when it was written.
pub(super) fn get(table: &Table) -> String {
    format!("SELECT value, WRITETIME(value) FROM @{} WHERE {}", table.name, row(table))
}

/// Binds the partition key and a list of clustering keys. Gives clustering key, value, when written.
pub(super) fn get_many(table: &Table) -> String {
    let clustering = names(table.clustering.iter());
    let column = if table.clustering.len() == 1 { clustering.clone() } else { format!("({clustering})") };
    format!(
        "SELECT {clustering}, value, WRITETIME(value) FROM @{} WHERE {} AND {column} IN ?",
        table.name,
        equal(table.partition.iter())
    )
}

/// Binds the partition key, the parts of both bounds, and the limit. Gives clustering key, value, when written.
pub(super) fn scan(table: &Table, range: &Range) -> String {
    let mut columns = names(table.clustering.iter());
    if !columns.is_empty() {
        columns.push_str(", ");
    }
    let mut wheres = equal(table.partition.iter());
    let mut push = |bound: &Bound, included: &str, excluded: &str| {
        let (key, operator) = match bound {
            OpsBound::Unbounded => return,
            OpsBound::Included(key) => (key, included),
            OpsBound::Excluded(key) => (key, excluded),
        };
        let bounded = names(table.clustering.iter().take(key.len()));
        wheres.push_str(&format!(" AND ({bounded}) {operator} ({})", marks(key.len())));
    };
    push(&range.from, ">=", ">");
    push(&range.to, "<=", "<");
    let order = if range.reverse && !table.clustering.is_empty() {
        let descending: Vec<_> = table.clustering.iter().map(|column| format!("\"{}\" DESC", column.name)).collect();
        format!(" ORDER BY {}", descending.join(", "))
    } else {
        String::new()
    };
    format!("SELECT {columns}value, WRITETIME(value) FROM @{} WHERE {wheres}{order} LIMIT ?", table.name)
}

fn insert_into(table: &Table) -> String {
    let columns = names(table.partition.iter().chain(table.clustering));
    let count = table.partition.len() + table.clustering.len() + 1;
    format!("INSERT INTO @{} ({columns}, value) VALUES ({})", table.name, marks(count))
}

/// Binds the row's key, the value, the timestamp.
pub(super) fn put(table: &Table) -> String {
    format!("{} USING TIMESTAMP ?", insert_into(table))
}

/// Binds the row's key, the value, the timestamp, the seconds to live.
pub(super) fn put_for(table: &Table) -> String {
    format!("{} USING TIMESTAMP ? AND TTL ?", insert_into(table))
}

/// Binds the timestamp and the row's key.
pub(super) fn delete(table: &Table) -> String {
    format!("DELETE FROM @{} USING TIMESTAMP ? WHERE {}", table.name, row(table))
}

/// Binds the row's key, the value, the seconds to live (0: for ever).
pub(super) fn insert(table: &Table) -> String {
    format!("{} IF NOT EXISTS USING TTL ?", insert_into(table))
}

/// Binds the seconds to live (0: for ever), the value, the row's key, the expected value.
pub(super) fn replace(table: &Table) -> String {
    format!("UPDATE @{} USING TTL ? SET value = ? WHERE {} IF value = ?", table.name, row(table))
}

/// Binds the row's key and the expected value.
pub(super) fn remove(table: &Table) -> String {
    format!("DELETE FROM @{} WHERE {} IF value = ?", table.name, row(table))
}

/// Binds the row's key. To be read at SERIAL.
pub(super) fn get_serial(table: &Table) -> String {
    format!("SELECT value FROM @{} WHERE {}", table.name, row(table))
}
