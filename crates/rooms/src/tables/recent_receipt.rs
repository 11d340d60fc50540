//! `recent_receipt(room_id | slot)`: the public receipts of a room that moved last, for those who are told of the room from its
//! beginning. A receipt keeps its slot while it moves; when all slots are taken a new one takes that of the oldest.

use banyan_log::DerivedRow;
use banyan_proto::rooms::ReceiptRow;
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::RoomId;

use super::{decode, put_row, scan_all};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "recent_receipt",
    partition: &[Column::text("room_id")],
    clustering: &[Column::int("slot")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Slots of a room.
pub const SLOTS: u32 = 500;

/// The row of a slot.
#[must_use]
pub fn put(room_id: &str, slot: u32, row: &ReceiptRow) -> DerivedRow {
    put_row(&TABLE, key![room_id], key![i64::from(slot)], row)
}

/// Reads all slots of a room.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId) -> Result<Vec<ReceiptRow>, ReadError> {
    let rows = scan_all(store, &TABLE, &key![room_id.as_str()], Range::all(1), SLOTS as usize).await?;
    rows.iter().map(|row| decode(&TABLE, row)).collect()
}
