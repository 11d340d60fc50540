//! Users and their rooms.

use banyan_proto::rooms::{MembershipRow, Transaction, TransactionRow};
use ruma::{OwnedRoomId, RoomId, UserId, events::room::member::MembershipState};

use super::{At, RoomReader};
use crate::{
    ReadError,
    tables::{membership_by_user, transaction},
};

/// Memberships that are read in one go.
const AT_ONCE: usize = 500;

impl RoomReader {
    /// All rooms a user was ever in, with the latest membership in each.
    ///
    /// # Errors
    /// The store's.
    pub async fn memberships(&self, user_id: &UserId) -> Result<Vec<(OwnedRoomId, MembershipRow)>, ReadError> {
        membership_by_user::scan(&*self.inner.store, user_id).await
    }

    /// The rooms a user is joined to.
    ///
    /// # Errors
    /// The store's.
    pub async fn joined_rooms(&self, user_id: &UserId) -> Result<Vec<OwnedRoomId>, ReadError> {
        let rows = self.memberships(user_id).await?;
        Ok(rows.into_iter().filter(|(_, row)| row.membership == "join").map(|(room_id, _)| room_id).collect())
    }

    /// A user's latest membership in a room; `None` if there never was one.
    ///
    /// # Errors
    /// The store's.
    pub async fn membership(&self, user_id: &UserId, room_id: &RoomId) -> Result<Option<MembershipRow>, ReadError> {
        membership_by_user::get(&*self.inner.store, user_id, room_id).await
    }

    /// A user's latest memberships in several rooms, in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn memberships_in<R: AsRef<RoomId> + Sync>(
        &self,
        user_id: &UserId,
        room_ids: &[R],
    ) -> Result<Vec<Option<MembershipRow>>, ReadError> {
        let mut rows = Vec::with_capacity(room_ids.len());
        for room_ids in room_ids.chunks(AT_ONCE) {
            rows.extend(membership_by_user::multi_get(&*self.inner.store, user_id, room_ids).await?);
        }
        Ok(rows)
    }

    /// A user's membership in some state of a room; `leave` if the state has none.
    ///
    /// # Errors
    /// The store's.
    pub async fn membership_at(&self, room_id: &RoomId, user_id: &UserId, at: &At) -> Result<MembershipState, ReadError> {
        if matches!(at, At::Now) {
            let row = self.membership(user_id, room_id).await?;
            return Ok(row.map_or(MembershipState::Leave, |row| MembershipState::from(row.membership)));
        }
        let event = self.state_event(room_id, "m.room.member", user_id.as_str(), at).await?;
        Ok(event.map_or(MembershipState::Leave, |event| event.membership()))
    }

    /// What a client's transaction made, if it was seen within the last two days.
    ///
    /// # Errors
    /// The store's.
    pub async fn transaction(&self, transaction: &Transaction) -> Result<Option<TransactionRow>, ReadError> {
        transaction::get(&*self.inner.store, transaction).await
    }
}
