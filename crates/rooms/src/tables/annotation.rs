//! `annotation((room_id, target) | sender, type, key)`: who has annotated an event with what, so that nobody does so twice.

use banyan_log::DerivedRow;
use banyan_proto::rooms::AnnotationRow;
use banyan_store::{Column, Compaction, Mode, Store, Table, key};
use ruma::{EventId, RoomId, UserId};

use super::{delete_row, get_row, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "annotation",
    partition: &[Column::text("room_id"), Column::text("target")],
    clustering: &[Column::text("sender"), Column::text("type"), Column::text("annotation_key")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The row of an annotation.
#[must_use]
pub fn put(room_id: &str, target: &str, (sender, event_type, key): (&str, &str, &str), row: &AnnotationRow) -> DerivedRow {
    put_row(&TABLE, key![room_id, target], key![sender, event_type, key], row)
}

/// Removes an annotation.
#[must_use]
pub fn delete(room_id: &str, target: &str, (sender, event_type, key): (&str, &str, &str)) -> DerivedRow {
    delete_row(&TABLE, key![room_id, target], key![sender, event_type, key])
}

/// Reads a user's annotation of an event.
///
/// # Errors
/// The store's.
pub async fn get(
    store: &dyn Store,
    (room_id, target): (&RoomId, &EventId),
    (sender, event_type, key): (&UserId, &str, &str),
) -> Result<Option<AnnotationRow>, ReadError> {
    get_row(store, &TABLE, key![room_id.as_str(), target.as_str()], key![sender.as_str(), event_type, key]).await
}
