//! `device_list(room_id | user_id)`: when each member's devices changed last, for those who come back after a time that the tails do
//! not reach.

use banyan_log::DerivedRow;
use banyan_proto::rooms::DeviceListRow;
use banyan_store::{Column, Compaction, KeyPart, Mode, Range, Store, Table, key};
use ruma::RoomId;

use super::{decode, put_row, scan_all};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "device_list",
    partition: &[Column::text("room_id")],
    clustering: &[Column::text("user_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Members of a room that are read at most.
const MAX: usize = 100_000;

/// The row of a member.
#[must_use]
pub fn put(room_id: &str, user_id: &str, seq: u64) -> DerivedRow {
    put_row(&TABLE, key![room_id], key![user_id], &DeviceListRow { seq })
}

/// The members whose devices changed at `since` or later.
///
/// # Errors
/// The store's.
pub async fn since(store: &dyn Store, room_id: &RoomId, since: u64) -> Result<Vec<String>, ReadError> {
    let mut users = Vec::new();
    for row in scan_all(store, &TABLE, &key![room_id.as_str()], Range::all(1_000), MAX).await? {
        let DeviceListRow { seq } = decode(&TABLE, &row)?;
        if let (true, Some(KeyPart::Text(user_id))) = (seq >= since, row.clustering.first()) {
            users.push(user_id.to_string());
        }
    }
    Ok(users)
}
