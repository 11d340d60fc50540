//! `event((room_id, event_id))`: where an event is and what is thought of it; its body only while it has no place.

use banyan_log::DerivedRow;
use banyan_proto::rooms::EventRow;
use banyan_store::{Column, Compaction, Key, Mode, Store, Table, key};
use ruma::{EventId, RoomId};

use super::{decode, get_row, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "event",
    partition: &[Column::text("room_id"), Column::text("event_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// The row of an event.
#[must_use]
pub fn put(room_id: &str, event_id: &str, row: &EventRow) -> DerivedRow {
    put_row(&TABLE, key![room_id, event_id], Key::new(), row)
}

/// Reads the row of an event.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, room_id: &RoomId, event_id: &EventId) -> Result<Option<EventRow>, ReadError> {
    get_row(store, &TABLE, key![room_id.as_str(), event_id.as_str()], Key::new()).await
}

/// Reads the rows of several events, in the order asked.
///
/// # Errors
/// The store's.
pub async fn multi_get<E: AsRef<str>>(
    store: &dyn Store,
    room_id: &RoomId,
    event_ids: &[E],
) -> Result<Vec<Option<EventRow>>, ReadError> {
    let keys: Vec<_> = event_ids.iter().map(|id| (key![room_id.as_str(), id.as_ref()], Key::new())).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}
