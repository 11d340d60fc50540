//! `receipt((user_id, bucket) | room_id, receipt_type, thread_id)`: how far a user has read in each room, publicly and privately.
//!
//! A user's rooms lie in 16 partitions; in one room there is a row per thread that the user has read.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{Receipt, ReceiptRow};
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::{RoomId, UserId};

use super::{decode, put_row, scan_all};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "receipt",
    partition: &[Column::text("user_id"), Column::int("bucket")],
    clustering: &[Column::text("room_id"), Column::text("receipt_type"), Column::text("thread_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Receipts that everybody in the room is told.
pub const PUBLIC: &str = "m.read";
/// Receipts that only their user is told.
pub const PRIVATE: &str = "m.read.private";

/// Partitions of a user.
const BUCKETS: i64 = 16;
/// Receipts of one user in one room that are read at most; those that are not in a thread come first.
const MAX_OF_ROOM: usize = 2_000;

/// The bucket of a room.
fn bucket(room_id: &str) -> i64 {
    let hash = blake3::hash(room_id.as_bytes());
    let [first, ..] = *hash.as_bytes();
    i64::from(first) % BUCKETS
}

/// The row of a receipt.
#[must_use]
pub fn put(room_id: &str, receipt: &Receipt, row: &ReceiptRow) -> DerivedRow {
    let clustering = key![room_id, receipt.receipt_type.as_str(), receipt.thread_id.as_str()];
    put_row(&TABLE, key![receipt.user_id.as_str(), bucket(room_id)], clustering, row)
}

/// Reads what is known of these users, types and threads, in the order asked.
///
/// # Errors
/// The store's.
pub async fn multi_get(
    store: &dyn Store,
    room_id: &RoomId,
    wanted: &[(&str, &str, &str)],
) -> Result<Vec<Option<ReceiptRow>>, ReadError> {
    let bucket = bucket(room_id.as_str());
    let key = |(user_id, receipt_type, thread_id): &(&str, &str, &str)| {
        (key![*user_id, bucket], key![room_id.as_str(), *receipt_type, *thread_id])
    };
    let keys: Vec<_> = wanted.iter().map(key).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}

/// Reads all receipts of a user in a room.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, user_id: &UserId, room_id: &RoomId) -> Result<Vec<ReceiptRow>, ReadError> {
    let partition = key![user_id.as_str(), bucket(room_id.as_str())];
    let rows = scan_all(store, &TABLE, &partition, Range::prefix(key![room_id.as_str()], 1), MAX_OF_ROOM).await?;
    rows.iter().map(|row| decode(&TABLE, row)).collect()
}
