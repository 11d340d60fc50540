//! `event_time((room_id, day) | ts, arrival, sub)` and `event_day(room_id | day)`: the events of a room by what they say of their time,
//! for who jumps to a date.
//!
//! `event_time` has a partition per day (UTC) on which a room has events: a few tens of thousands of rows in the busiest rooms.
//! `event_day` lists those days, so that years without an event cost no read each. Events say what they like of their time: whatever
//! lies outside of days 0 to 99,999 (the year 2243) is filed under the nearest of these, which bounds the list.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{EventDayRow, EventTimeRow};
use banyan_store::{Bound, Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, int_at, put_row};
use crate::{ReadError, RoomPlace, reader::Direction};

/// The events of a day.
pub static TABLE: Table = Table {
    name: "event_time",
    partition: &[Column::text("room_id"), Column::int("day")],
    clustering: &[Column::int("ts"), Column::int("arrival"), Column::int("sub")],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// The days with events.
pub static DAYS: Table = Table {
    name: "event_day",
    partition: &[Column::text("room_id")],
    clustering: &[Column::int("day")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const LAST_DAY: i64 = 99_999;

/// The day of a time (milliseconds since the Unix epoch).
#[must_use]
pub const fn day(ts: i64) -> i64 {
    let day = ts.div_euclid(DAY_MS);
    if day < 0 {
        0
    } else if day > LAST_DAY {
        LAST_DAY
    } else {
        day
    }
}

/// The rows of an event that says it was sent at `ts`.
#[must_use]
pub fn put(room_id: &str, ts: i64, place: RoomPlace, event_id: &str) -> [DerivedRow; 2] {
    let day = day(ts);
    let row = EventTimeRow { event_id: event_id.to_owned() };
    [
        put_row(&TABLE, key![room_id, day], key![ts, place.arrival, place.sub], &row),
        put_row(&DAYS, key![room_id], key![day], &EventDayRow { known: true }),
    ]
}

/// An event by its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// When it says it was sent, milliseconds.
    pub ts: i64,
    /// Where it stands.
    pub place: RoomPlace,
    /// Its id.
    pub event_id: String,
}

/// Where to go on within the events of a day.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// With the events of this time.
    At(i64),
    /// Behind this event.
    Behind(i64, RoomPlace),
    /// From the day's beginning, or its end if backwards.
    Edge,
}

/// Reads the days with events from `day` on, it included, in the direction; at most `limit`.
///
/// # Errors
/// The store's.
pub async fn days(
    store: &dyn Store,
    room_id: &RoomId,
    day: i64,
    direction: Direction,
    limit: usize,
) -> Result<Vec<i64>, ReadError> {
    let mut range = Range::all(limit.clamp(1, 1_000));
    match direction {
        Direction::Forward => range.from = Bound::Included(key![day]),
        Direction::Backward => {
            range.to = Bound::Included(key![day]);
            range.reverse = true;
        }
    }
    let page = store.scan(&DAYS, &key![room_id.as_str()], range).await?;
    page.rows.iter().map(|row| int_at(&DAYS, &row.clustering, 0)).collect()
}

/// Reads events of a day in the direction, at most `limit`.
///
/// # Errors
/// The store's.
pub async fn scan(
    store: &dyn Store,
    room_id: &RoomId,
    day: i64,
    start: Start,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Timed>, ReadError> {
    let bound = match start {
        Start::At(ts) => Bound::Included(key![ts]),
        Start::Behind(ts, place) => Bound::Excluded(key![ts, place.arrival, place.sub]),
        Start::Edge => Bound::Unbounded,
    };
    let mut range = Range::all(limit.clamp(1, 1_000));
    match direction {
        Direction::Forward => range.from = bound,
        Direction::Backward => {
            range.to = bound;
            range.reverse = true;
        }
    }
    let page = store.scan(&TABLE, &key![room_id.as_str(), day], range).await?;
    page.rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Timed, ReadError> {
    let int = |index| int_at(&TABLE, &row.clustering, index);
    let EventTimeRow { event_id } = decode(&TABLE, row)?;
    Ok(Timed { ts: int(0)?, place: RoomPlace::new(int(1)?, int(2)?), event_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bounded_whatever_an_event_says() {
        assert_eq!([day(-1), day(0), day(DAY_MS - 1), day(DAY_MS), day(i64::MAX)], [0, 0, 0, 1, LAST_DAY]);
    }
}
