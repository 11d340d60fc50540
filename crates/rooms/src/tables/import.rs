//! `import(room_id | import_id)`: bulk imports (a join through another server, backfill) whose rows were written ahead.

use banyan_log::DerivedRow;
use banyan_proto::rooms::ImportRow;
use banyan_store::{Column, Compaction, Mode, Range, Row, Store, Table, key};
use bytes::Bytes;
use ruma::RoomId;

use super::{decode, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "import",
    partition: &[Column::text("room_id")],
    clustering: &[Column::blob("import_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The row of an import.
#[must_use]
pub fn put(room_id: &str, import_id: &Bytes, row: &ImportRow) -> DerivedRow {
    put_row(&TABLE, key![room_id], key![import_id.clone()], row)
}

/// Reads the imports of a room, at most `limit`.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId, limit: usize) -> Result<Vec<(Bytes, ImportRow)>, ReadError> {
    let page = store.scan(&TABLE, &key![room_id.as_str()], Range::all(limit.clamp(1, 10_000))).await?;
    let read = |row: &Row| {
        let id = row.clustering.first().and_then(|part| part.as_blob()).cloned();
        Ok((id.ok_or_else(|| ReadError::corrupt(TABLE.name, "the key is no blob"))?, decode(&TABLE, row)?))
    };
    page.rows.iter().map(read).collect()
}
