//! `intent(log | room_id, name)`: commands of several steps that are under way, for the shard's next owner to take up.

use banyan_core::LogId;
use banyan_log::DerivedRow;
use banyan_proto::rooms::IntentRow;
use banyan_store::{Column, Compaction, Mode, Range, Row, Store, Table, key};

use super::{decode, delete_row, get_row, put_row, scan_all, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "intent",
    partition: &[Column::text("log")],
    clustering: &[Column::text("room_id"), Column::text("name")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Intents of one shard that are read at most.
const MAX_INTENTS: usize = 100_000;

/// The row of an intent, or its end.
#[must_use]
pub fn change(log: LogId, room_id: &str, name: &str, row: Option<&IntentRow>) -> DerivedRow {
    let (partition, clustering) = (key![log.to_string()], key![room_id, name]);
    match row {
        Some(row) => put_row(&TABLE, partition, clustering, row),
        None => delete_row(&TABLE, partition, clustering),
    }
}

/// Reads one intent.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, log: LogId, room_id: &str, name: &str) -> Result<Option<IntentRow>, ReadError> {
    get_row(store, &TABLE, key![log.to_string()], key![room_id, name]).await
}

/// An intent: its room, its name, its row.
pub type Intent = (String, String, IntentRow);

/// Reads all intents of a shard.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, log: LogId) -> Result<Vec<Intent>, ReadError> {
    let rows = scan_all(store, &TABLE, &key![log.to_string()], Range::all(1), MAX_INTENTS).await?;
    let read = |row: &Row| Ok((text_at(&TABLE, &row.clustering, 0)?, text_at(&TABLE, &row.clustering, 1)?, decode(&TABLE, row)?));
    rows.iter().map(read).collect()
}
