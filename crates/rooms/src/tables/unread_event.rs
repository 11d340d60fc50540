//! `unread_event((room_id, user_id, thread_id, bucket) | arrival)`: the events that were added to a total of `unread_total`, with the sums
//! up to each, so that what notified since a place is one difference.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{NotifyingEvent, UnreadEventRow, UnreadTotal};
use banyan_store::{Bound, Column, Compaction, Mode, Range, Store, Table, key};
use ruma::RoomId;

use super::{decode, int_at, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "unread_event",
    partition: &[Column::text("room_id"), Column::text("user_id"), Column::text("thread_id"), Column::int("bucket")],
    clustering: &[Column::int("arrival")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Events per bucket.
const BUCKET: u64 = 10_000;

/// Whose events, of which thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Of<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The user; empty: everybody.
    pub user_id: &'a str,
    /// The thread.
    pub thread_id: &'a str,
}

/// The bucket of the last of so many events.
#[must_use]
pub const fn bucket(events: u64) -> i64 {
    (events.saturating_sub(1) / BUCKET).cast_signed()
}

/// The row of the event that was the last to be added to a total.
#[must_use]
pub fn put(room_id: &str, (user_id, thread_id): (&str, &str), total: &UnreadTotal, event: &NotifyingEvent) -> DerivedRow {
    let row = UnreadEventRow {
        event_id: event.event_id.clone(),
        actions: event.actions.clone(),
        at: event.at,
        notify: total.notify,
        highlight: total.highlight,
    };
    put_row(&TABLE, key![room_id, user_id, thread_id, bucket(total.events)], key![total.last], &row)
}

/// Reads events of one bucket at or before an arrival, newest first, at most `limit`; also says whether the limit cut them short.
///
/// # Errors
/// The store's.
pub async fn scan_bucket(
    store: &dyn Store,
    of: Of<'_>,
    bucket: i64,
    upto: i64,
    limit: usize,
) -> Result<(Vec<(i64, UnreadEventRow)>, bool), ReadError> {
    let range = Range { from: Bound::Unbounded, to: Bound::Included(key![upto]), reverse: true, limit };
    let page = store.scan(&TABLE, &key![of.room_id.as_str(), of.user_id, of.thread_id, bucket], range).await?;
    let read = |row: &banyan_store::Row| Ok((int_at(&TABLE, &row.clustering, 0)?, decode(&TABLE, row)?));
    Ok((page.rows.iter().map(read).collect::<Result<_, ReadError>>()?, page.more))
}

/// Reads the last event at or before an arrival that lies between the first and the last of a total.
///
/// # Errors
/// The store's, and a total without its events.
pub async fn last_upto(store: &dyn Store, of: Of<'_>, total: &UnreadTotal, upto: i64) -> Result<Option<UnreadEventRow>, ReadError> {
    let last = async |bucket| Ok::<_, ReadError>(scan_bucket(store, of, bucket, upto, 1).await?.0.pop().map(|(_, row)| row));
    let (mut low, mut high) = (0, bucket(total.events));
    // Most readers are not far behind.
    if let Some(row) = last(high).await? {
        return Ok(Some(row));
    }
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        match last(middle).await? {
            Some(row) => (found, low) = (Some(row), middle + 1),
            None => high = middle,
        }
    }
    Ok(found)
}
