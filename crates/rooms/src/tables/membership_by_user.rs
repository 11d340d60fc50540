//! `membership_by_user(user_id | room_id)`: the rooms of a user, with the latest membership in each.
//!
//! A partition has a row per room its user was ever in: a few hundred for people, tens of thousands for the busiest bots.

use banyan_log::DerivedRow;
use banyan_proto::rooms::MembershipRow;
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::{OwnedRoomId, RoomId, UserId};

use super::{decode, get_row, put_row, scan_all, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "membership_by_user",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("room_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Rooms of one user that are read at most.
const MAX_ROOMS: usize = 100_000;

/// The row of a user in a room.
#[must_use]
pub fn put(user_id: &str, room_id: &str, row: &MembershipRow) -> DerivedRow {
    put_row(&TABLE, key![user_id], key![room_id], row)
}

/// Reads a user's latest membership in a room.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, user_id: &UserId, room_id: &RoomId) -> Result<Option<MembershipRow>, ReadError> {
    get_row(store, &TABLE, key![user_id.as_str()], key![room_id.as_str()]).await
}

/// Reads a user's memberships in rooms, in the order asked. At most 10,000.
///
/// # Errors
/// The store's.
pub async fn multi_get<R: AsRef<RoomId>>(
    store: &dyn Store,
    user_id: &UserId,
    room_ids: &[R],
) -> Result<Vec<Option<MembershipRow>>, ReadError> {
    let keys: Vec<_> = room_ids.iter().map(|id| (key![user_id.as_str()], key![id.as_ref().as_str()])).collect();
    let rows = store.multi_get(&TABLE, &keys).await?;
    rows.iter().map(|row| row.as_ref().map(|row| decode(&TABLE, row)).transpose()).collect()
}

/// Reads all memberships of a user.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, user_id: &UserId) -> Result<Vec<(OwnedRoomId, MembershipRow)>, ReadError> {
    let rows = scan_all(store, &TABLE, &key![user_id.as_str()], Range::all(1), MAX_ROOMS).await?;
    let read = |row: &banyan_store::Row| {
        let room_id = text_at(&TABLE, &row.clustering, 0)?;
        let room_id = OwnedRoomId::try_from(room_id).map_err(|error| ReadError::corrupt(TABLE.name, error))?;
        Ok((room_id, decode(&TABLE, row)?))
    };
    rows.iter().map(read).collect()
}
