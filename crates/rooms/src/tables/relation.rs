//! `relation((room_id, target) | rel_type, arrival, sub)`: the events that relate to another, by type of relation and then in the order
//! of the timeline. Each is there twice: the rows of type [`ANY`] are all of them in the order of the timeline.
//!
//! A partition has two rows for each event that relates to its target: tens of thousands for the most beloved of messages.

use banyan_log::DerivedRow;
use banyan_proto::rooms::RelationRow;
use banyan_store::{Bound, Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::{EventId, RoomId};

use super::{decode, delete_row, int_at, put_row};
use crate::{ReadError, RoomPlace};

/// The table.
pub static TABLE: Table = Table {
    name: "relation",
    partition: &[Column::text("room_id"), Column::text("target")],
    clustering: &[Column::text("rel_type"), Column::int("arrival"), Column::int("sub")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// In place of a type: all of them.
pub const ANY: &str = "";

/// The rows of an event that relates to `target`.
#[must_use]
pub fn put(room_id: &str, target: &str, rel_type: &str, place: RoomPlace, row: &RelationRow) -> [DerivedRow; 2] {
    [ANY, rel_type].map(|rel_type| put_row(&TABLE, key![room_id, target], key![rel_type, place.arrival, place.sub], row))
}

/// Removes them.
#[must_use]
pub fn delete(room_id: &str, target: &str, rel_type: &str, place: RoomPlace) -> [DerivedRow; 2] {
    [ANY, rel_type].map(|rel_type| delete_row(&TABLE, key![room_id, target], key![rel_type, place.arrival, place.sub]))
}

/// Reads those with `after < place <= upto`, in timeline order or reversed, at most `limit`; also says whether the limit cut them short.
///
/// # Errors
/// The store's.
pub async fn scan(
    store: &dyn Store,
    (room_id, target): (&RoomId, &EventId),
    rel_type: &str,
    (after, upto): (RoomPlace, RoomPlace),
    reverse: bool,
    limit: usize,
) -> Result<(Vec<(RoomPlace, RelationRow)>, bool), ReadError> {
    let range = Range {
        from: Bound::Excluded(key![rel_type, after.arrival, after.sub]),
        to: Bound::Included(key![rel_type, upto.arrival, upto.sub]),
        reverse,
        limit: limit.clamp(1, 10_000),
    };
    let page = store.scan(&TABLE, &key![room_id.as_str(), target.as_str()], range).await?;
    let read = |row: &Row| {
        let place = RoomPlace::new(int_at(&TABLE, &row.clustering, 1)?, int_at(&TABLE, &row.clustering, 2)?);
        Ok((place, decode(&TABLE, row)?))
    };
    Ok((page.rows.iter().map(read).collect::<Result<_, ReadError>>()?, page.more))
}
