//! `thread_reply((room_id, bucket) | arrival, sub)`: every event of a thread in the order of the timeline, with the thread's root. Read
//! backwards, the first of a root is the thread's latest event: threads in the order of their latest events are no rows of their own.

use banyan_log::DerivedRow;
use banyan_proto::rooms::ThreadReplyRow;
use banyan_store::{Bound, Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, delete_row, int_at, put_row};
use crate::{ReadError, RoomPlace};

/// The table.
pub static TABLE: Table = Table {
    name: "thread_reply",
    partition: &[Column::text("room_id"), Column::int("bucket")],
    clustering: &[Column::int("arrival"), Column::int("sub")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Arrivals per bucket.
const BUCKET: i64 = 32 * 1024;

/// The bucket of an arrival.
#[must_use]
pub const fn bucket(arrival: i64) -> i64 {
    arrival.div_euclid(BUCKET)
}

/// The row of an event of a thread.
#[must_use]
pub fn put(room_id: &str, place: RoomPlace, row: &ThreadReplyRow) -> DerivedRow {
    put_row(&TABLE, key![room_id, bucket(place.arrival)], key![place.arrival, place.sub], row)
}

/// Removes it.
#[must_use]
pub fn delete(room_id: &str, place: RoomPlace) -> DerivedRow {
    delete_row(&TABLE, key![room_id, bucket(place.arrival)], key![place.arrival, place.sub])
}

/// Reads rows of one bucket at or before a place, newest first, at most `limit`; also says whether the limit cut them short.
///
/// # Errors
/// The store's.
pub async fn scan_bucket(
    store: &dyn Store,
    room_id: &RoomId,
    bucket: i64,
    upto: RoomPlace,
    limit: usize,
) -> Result<(Vec<(RoomPlace, ThreadReplyRow)>, bool), ReadError> {
    let to = Bound::Included(key![upto.arrival, upto.sub]);
    let range = Range { from: Bound::Unbounded, to, reverse: true, limit: limit.clamp(1, 1_000) };
    let page = store.scan(&TABLE, &key![room_id.as_str(), bucket], range).await?;
    let read = |row: &Row| {
        let place = RoomPlace::new(int_at(&TABLE, &row.clustering, 0)?, int_at(&TABLE, &row.clustering, 1)?);
        Ok((place, decode(&TABLE, row)?))
    };
    Ok((page.rows.iter().map(read).collect::<Result<_, ReadError>>()?, page.more))
}
