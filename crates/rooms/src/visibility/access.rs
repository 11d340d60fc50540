//! What of a room's state a user may read.

use ruma::{RoomId, UserId};

use super::{VisibilityFilter, history_visibility, last_departure};
use crate::{
    ReadError, RoomPlace,
    reader::{At, RoomReader},
};
use ruma::events::room::history_visibility::HistoryVisibility;

/// How far a user may look into a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// They are joined.
    Joined,
    /// They are not, and the room is readable by the world.
    WorldReadable,
    /// They were joined until this place and see the state as it was just after it.
    Left(RoomPlace),
    /// They may see nothing, or the room does not exist: the two look the same.
    None,
}

impl Access {
    /// The state that may be read; `None` for none.
    #[must_use]
    pub fn state(&self) -> Option<At> {
        match self {
            Self::Joined | Self::WorldReadable => Some(At::Now),
            Self::Left(place) => Some(At::Place(*place)),
            Self::None => None,
        }
    }
}

impl RoomReader {
    /// How far a user may look into a room now.
    ///
    /// # Errors
    /// The store's.
    pub async fn access(&self, room_id: &RoomId, user_id: &UserId) -> Result<Access, ReadError> {
        let row = self.membership(user_id, room_id).await?;
        if row.as_ref().is_some_and(|row| row.membership == "join") {
            return Ok(Access::Joined);
        }
        let setting = self.state_event(room_id, "m.room.history_visibility", "", &At::Now).await?;
        if setting.is_some_and(|event| history_visibility(&event.content()) == HistoryVisibility::WorldReadable) {
            return Ok(Access::WorldReadable);
        }
        if row.is_none_or(|row| row.forgotten) {
            return Ok(Access::None);
        }
        let mut filter = VisibilityFilter::new(self.clone(), room_id.to_owned(), user_id.to_owned());
        Ok(last_departure(filter.all_changes().await?).map_or(Access::None, Access::Left))
    }
}
