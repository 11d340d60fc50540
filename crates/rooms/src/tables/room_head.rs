//! `room_head(room_id)`: what a room is right now.

use banyan_core::TimestampMicros;
use banyan_log::DerivedRow;
use banyan_proto::rooms::RoomHead;
use banyan_store::{Column, Compaction, Key, Mode, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, get_row, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "room_head",
    partition: &[Column::text("room_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The row of a room.
#[must_use]
pub fn put(room_id: &str, head: &RoomHead) -> DerivedRow {
    put_row(&TABLE, key![room_id], Key::new(), head)
}

/// Reads the head of a room; `None` where the room is not known here.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, room_id: &RoomId) -> Result<Option<RoomHead>, ReadError> {
    get_row(store, &TABLE, key![room_id.as_str()], Key::new()).await
}

/// Reads the heads of several rooms and when they were last changed, in the order asked.
///
/// # Errors
/// The store's.
pub async fn multi_get_dated(store: &dyn Store, room_ids: &[&str]) -> Result<Vec<Option<(RoomHead, TimestampMicros)>>, ReadError> {
    let keys: Vec<_> = room_ids.iter().map(|id| (key![*id], Key::new())).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    // A row is written one microsecond after its entry.
    let dated = |row: &Row| Ok((decode(&TABLE, row)?, TimestampMicros(row.written.0 - 1)));
    rows.iter().map(|row| row.as_ref().map(dated).transpose()).collect()
}

/// Reads the heads of several rooms, in the order asked.
///
/// # Errors
/// The store's.
pub async fn multi_get<R: AsRef<str>>(store: &dyn Store, room_ids: &[R]) -> Result<Vec<Option<RoomHead>>, ReadError> {
    let keys: Vec<_> = room_ids.iter().map(|id| (key![id.as_ref()], Key::new())).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}
