//! Rooms that the caller shares with another user (client-server API, "Mutual rooms").

use banyan_core::ServiceError;
use ruma::{OwnedRoomId, RoomId, UserId};

use super::{App, Requester};

/// Rooms of a page.
const LIMIT: usize = 100;

/// A page of shared rooms.
#[derive(Debug)]
pub(crate) struct MutualRooms {
    pub(crate) joined: Vec<OwnedRoomId>,
    /// How many there are in all.
    pub(crate) count: usize,
    pub(crate) next_batch: Option<String>,
}

impl App {
    /// The rooms that the caller and another user are both in, by their ids.
    ///
    /// # Errors
    /// M_INVALID_PARAM for the caller's own id, what is no user id, and what is no token.
    pub(crate) async fn mutual_rooms(
        &self,
        requester: &Requester,
        user_id: &str,
        from: Option<&str>,
    ) -> Result<MutualRooms, ServiceError> {
        let user_id = UserId::parse(user_id).ok().filter(|user_id| user_id.validate_historical().is_ok());
        let user_id = user_id.ok_or_else(|| ServiceError::invalid_param("The user ID provided was invalid"))?;
        if user_id == requester.user_id {
            return Err(ServiceError::invalid_param("You share all of your rooms with yourself"));
        }
        let from = from.map(RoomId::parse).transpose().map_err(|_| ServiceError::invalid_param("`from` is not a token"))?;
        let mut own = self.rooms.joined_rooms(&requester.user_id).await?;
        own.sort_unstable();
        let theirs = self.rooms.memberships_in(&user_id, &own).await?;
        let shared = own.into_iter().zip(theirs).filter(|(_, row)| row.as_ref().is_some_and(|row| row.membership == "join"));
        let shared: Vec<OwnedRoomId> = shared.map(|(room_id, _)| room_id).collect();
        let count = shared.len();
        let mut joined: Vec<OwnedRoomId> =
            shared.into_iter().filter(|room_id| from.as_ref().is_none_or(|from| room_id > from)).take(LIMIT + 1).collect();
        let more = joined.len() > LIMIT;
        joined.truncate(LIMIT);
        let next_batch = joined.last().filter(|_| more).map(ToString::to_string);
        Ok(MutualRooms { joined, count, next_batch })
    }
}
