//! `timeline((room_id, bucket) | arrival, sub)`: the events of a room in the order they are shown.
//!
//! A bucket holds 512 arrivals, usually under 1 MiB, plus what fills gaps before them. Whoever fills a gap places at most
//! [`MAX_GAP_FILL`] events in a bucket and leaves a gap marker behind them; history from before the first known event takes negative
//! arrivals and so buckets of its own.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{EventStanding, Placed, TimelineRow};
use banyan_store::{Bound, Column, Compaction, Key, Mode, Range, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, get_row, int_at, put_row};
use crate::{ReadError, RoomPlace};

/// The table.
pub static TABLE: Table = Table {
    name: "timeline",
    partition: &[Column::text("room_id"), Column::int("bucket")],
    clustering: &[Column::int("arrival"), Column::int("sub")],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// Arrivals per bucket.
pub const BUCKET: i64 = 512;

/// Events that gaps within one bucket may be filled with.
pub const MAX_GAP_FILL: i64 = 60_000;

/// The bucket of an arrival.
#[must_use]
pub const fn bucket(arrival: i64) -> i64 {
    arrival.div_euclid(BUCKET)
}

fn keys(room_id: &str, place: RoomPlace) -> (Key, Key) {
    (key![room_id, bucket(place.arrival)], key![place.arrival, place.sub])
}

/// The row of a place.
#[must_use]
pub fn put(room_id: &str, place: RoomPlace, row: &TimelineRow) -> DerivedRow {
    let (partition, clustering) = keys(room_id, place);
    put_row(&TABLE, partition, clustering, row)
}

/// The row that a [`Placed`] turns into. `received` is in microseconds.
#[must_use]
pub fn row_of(placed: &Placed, seq: u64, received: i64, gap_before: bool) -> TimelineRow {
    TimelineRow {
        event_id: placed.event_id.clone(),
        pdu: placed.pdu.clone(),
        seq,
        received,
        state_after: placed.state_after.clone(),
        soft_failed: placed.soft_failed,
        replaces_state: placed.replaces_state.clone(),
        prev_content: placed.prev_content.clone(),
        prev_sender: placed.prev_sender.clone(),
        transaction: placed.transaction.clone(),
        redaction_event_id: String::new(),
        redaction_pdu: bytes::Bytes::new(),
        gap_before,
    }
}

/// The standing of an event that has a place.
#[must_use]
pub const fn standing_of(row: &TimelineRow) -> EventStanding {
    if row.soft_failed { EventStanding::SoftFailed } else { EventStanding::Accepted }
}

/// Reads the row of a place.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, room_id: &RoomId, place: RoomPlace) -> Result<Option<TimelineRow>, ReadError> {
    let (partition, clustering) = keys(room_id.as_str(), place);
    get_row(store, &TABLE, partition, clustering).await
}

/// Reads the rows of several places, in the order asked.
///
/// # Errors
/// The store's.
pub async fn multi_get(store: &dyn Store, room_id: &RoomId, places: &[RoomPlace]) -> Result<Vec<Option<TimelineRow>>, ReadError> {
    let keys: Vec<_> = places.iter().map(|place| keys(room_id.as_str(), *place)).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}

/// Reads rows of one bucket with `after < place <= upto`, in timeline order or reversed, at most `limit`; also says whether the limit
/// cut them short.
///
/// # Errors
/// The store's.
pub async fn scan_bucket(
    store: &dyn Store,
    room_id: &RoomId,
    bucket: i64,
    (after, upto): (RoomPlace, RoomPlace),
    reverse: bool,
    limit: usize,
) -> Result<(Vec<(RoomPlace, TimelineRow)>, bool), ReadError> {
    let range = Range {
        from: Bound::Excluded(key![after.arrival, after.sub]),
        to: Bound::Included(key![upto.arrival, upto.sub]),
        reverse,
        limit: limit.clamp(1, 1_000),
    };
    let page = store.scan(&TABLE, &key![room_id.as_str(), bucket], range).await?;
    let rows = page.rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok((rows, page.more))
}

fn read(row: &Row) -> Result<(RoomPlace, TimelineRow), ReadError> {
    let place = RoomPlace::new(int_at(&TABLE, &row.clustering, 0)?, int_at(&TABLE, &row.clustering, 1)?);
    Ok((place, decode(&TABLE, row)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_512_arrivals_on_both_sides_of_zero() {
        assert_eq!([bucket(-513), bucket(-512), bucket(-1), bucket(0), bucket(511), bucket(512)], [-2, -1, -1, 0, 0, 1]);
    }
}
