//! `gap(room_id | arrival, sub)`: where history is missing just before a place, and which events to ask other servers for.

use banyan_log::DerivedRow;
use banyan_proto::rooms::GapRow;
use banyan_store::{Bound, Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, delete_row, int_at, put_row};
use crate::{ReadError, RoomPlace};

/// The table.
pub static TABLE: Table = Table {
    name: "gap",
    partition: &[Column::text("room_id")],
    clustering: &[Column::int("arrival"), Column::int("sub")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The row of a gap before a place, or its removal.
#[must_use]
pub fn change(room_id: &str, place: RoomPlace, row: Option<&GapRow>) -> DerivedRow {
    let (partition, clustering) = (key![room_id], key![place.arrival, place.sub]);
    match row {
        Some(row) => put_row(&TABLE, partition, clustering, row),
        None => delete_row(&TABLE, partition, clustering),
    }
}

/// Reads the gaps with `after < place <= upto`, newest first, at most `limit`.
///
/// # Errors
/// The store's.
pub async fn scan(
    store: &dyn Store,
    room_id: &RoomId,
    (after, upto): (RoomPlace, RoomPlace),
    limit: usize,
) -> Result<Vec<(RoomPlace, GapRow)>, ReadError> {
    let range = Range {
        from: Bound::Excluded(key![after.arrival, after.sub]),
        to: Bound::Included(key![upto.arrival, upto.sub]),
        reverse: true,
        limit: limit.clamp(1, 10_000),
    };
    let page = store.scan(&TABLE, &key![room_id.as_str()], range).await?;
    let read = |row: &Row| {
        let place = RoomPlace::new(int_at(&TABLE, &row.clustering, 0)?, int_at(&TABLE, &row.clustering, 1)?);
        Ok((place, decode(&TABLE, row)?))
    };
    page.rows.iter().map(read).collect()
}
