//! `alias_by_room(room_id | alias)`: the aliases of a room. A row derives from the log of its alias's shard.

use banyan_log::DerivedRow;
use banyan_proto::rooms::AliasByRoomRow;
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::{OwnedRoomAliasId, RoomId};

use super::{delete_row, put_row, scan_all, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "alias_by_room",
    partition: &[Column::text("room_id")],
    clustering: &[Column::text("alias")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Aliases of one room that are read at most.
const MAX_ALIASES: usize = 10_000;

/// The row of an alias.
#[must_use]
pub fn put(room_id: &str, alias: &str, row: &AliasByRoomRow) -> DerivedRow {
    put_row(&TABLE, key![room_id], key![alias], row)
}

/// Removes an alias.
#[must_use]
pub fn delete(room_id: &str, alias: &str) -> DerivedRow {
    delete_row(&TABLE, key![room_id], key![alias])
}

/// Reads the aliases of a room, in order.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>, ReadError> {
    let rows = scan_all(store, &TABLE, &key![room_id.as_str()], Range::all(1), MAX_ALIASES).await?;
    let read = |row: &banyan_store::Row| {
        let alias = text_at(&TABLE, &row.clustering, 0)?;
        OwnedRoomAliasId::try_from(alias).map_err(|error| ReadError::corrupt(TABLE.name, error))
    };
    rows.iter().map(read).collect()
}
