//! `unread_total((room_id, user_id) | thread_id)`: running totals of what notified in each thread of a room. Those without a user are
//! everybody's; a user has some only where the own differ from these, and says there up to where the user has read by writing.
//!
//! A partition has a row per thread of its room.

use banyan_core::LogSeq;
use banyan_log::DerivedRow;
use banyan_proto::rooms::UnreadTotal;
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::RoomId;

use super::{decode, put_row, scan_all, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "unread_total",
    partition: &[Column::text("room_id"), Column::text("user_id")],
    clustering: &[Column::text("thread_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The user whose totals are everybody's.
pub const EVERYBODY: &str = "";

/// Threads of a room that are read at most.
const MAX_THREADS: usize = 5_000;

/// The row of a thread.
#[must_use]
pub fn put(room_id: &str, (user_id, thread_id): (&str, &str), total: &UnreadTotal, seq: LogSeq) -> DerivedRow {
    let row = UnreadTotal { seq: seq.0, ..*total };
    put_row(&TABLE, key![room_id, user_id], key![thread_id], &row)
}

/// Reads totals by user and thread, in the order asked: at most 10,000.
///
/// # Errors
/// The store's.
pub async fn multi_get(
    store: &dyn Store,
    room_id: &RoomId,
    wanted: &[(&str, &str)],
) -> Result<Vec<Option<UnreadTotal>>, ReadError> {
    let keys: Vec<_> = wanted.iter().map(|(user_id, thread_id)| (key![room_id.as_str(), *user_id], key![*thread_id])).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}

/// Reads a user's totals of a room, by thread; some may be missing where there are over 5,000 threads.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId, user_id: &str) -> Result<Vec<(String, UnreadTotal)>, ReadError> {
    let rows = scan_all(store, &TABLE, &key![room_id.as_str(), user_id], Range::all(1), MAX_THREADS).await?;
    rows.iter().map(|row| Ok((text_at(&TABLE, &row.clustering, 0)?, decode(&TABLE, row)?))).collect()
}
