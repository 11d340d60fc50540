//! Rooms that somebody may find: what they may learn of rooms that they are not in (client-server API, "Spaces" and "Room summary").

use std::collections::HashSet;

use banyan_core::ServiceError;
use banyan_proto::rooms::RoomSummary;
use banyan_rooms::summary;
use ruma::{OwnedRoomId, RoomId, UserId};

use super::{App, Requester};

/// A room that somebody may find.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) summary: RoomSummary,
    /// Their membership; `None` for who never had one.
    pub(crate) membership: Option<String>,
}

impl App {
    /// What the caller, or a visitor without a token, may know of a room.
    ///
    /// # Errors
    /// M_NOT_FOUND for a room that there is not or that they may not find, M_INVALID_PARAM for what names no room.
    pub(crate) async fn room_summary(
        &self,
        requester: Option<&Requester>,
        id_or_alias: &str,
    ) -> Result<(OwnedRoomId, Found), ServiceError> {
        let room_id = self.room_of(id_or_alias).await?;
        let user_id = requester.map(|requester| &*requester.user_id);
        let found = self.find_rooms(user_id, std::slice::from_ref(&room_id)).await?.pop().flatten();
        let found = found.ok_or_else(|| ServiceError::not_found("There is no such room, or you may not see it"))?;
        Ok((room_id, found))
    }

    /// Those of the rooms that a user, or anybody, may find; in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn find_rooms(
        &self,
        user_id: Option<&UserId>,
        room_ids: &[OwnedRoomId],
    ) -> Result<Vec<Option<Found>>, ServiceError> {
        let summaries = self.rooms.summaries(room_ids).await?;
        let memberships = match user_id {
            Some(user_id) => self.rooms.memberships_in(user_id, room_ids).await?,
            None => vec![None; room_ids.len()],
        };
        let memberships = memberships.into_iter().map(|row| row.map(|row| row.membership));
        let rooms = summaries.into_iter().zip(memberships);
        let rooms: Vec<_> = rooms.map(|(summary, membership)| Some(Found { summary: summary?, membership })).collect();
        let joined = match user_id {
            Some(user_id) => self.joined_of(user_id, rooms.iter().flatten().flat_map(Found::lets_in_through)).await?,
            None => HashSet::new(),
        };
        Ok(rooms.into_iter().map(|found| found.filter(|found| found.may_be_found(&joined))).collect())
    }

    /// Those of the rooms that a user is in.
    async fn joined_of<'a>(
        &self,
        user_id: &UserId,
        rooms: impl Iterator<Item = &'a str>,
    ) -> Result<HashSet<OwnedRoomId>, ServiceError> {
        let rooms: HashSet<OwnedRoomId> = rooms.filter_map(|room_id| RoomId::parse(room_id).ok()).collect();
        let rooms: Vec<OwnedRoomId> = rooms.into_iter().collect();
        let memberships = self.rooms.memberships_in(user_id, &rooms).await?;
        let joined = rooms.into_iter().zip(memberships).filter(|(_, row)| row.as_ref().is_some_and(|row| row.membership == "join"));
        Ok(joined.map(|(room_id, _)| room_id).collect())
    }
}

impl Found {
    /// The rooms whose members may find this one, where that is asked at all.
    fn lets_in_through(&self) -> impl Iterator<Item = &str> {
        let asked = !matches!(self.membership.as_deref(), Some("join" | "invite" | "ban"));
        self.summary.allowed_room_ids.iter().filter(move |_| asked).map(String::as_str)
    }

    /// Whether who has this membership, and is in these rooms, may find the room.
    fn may_be_found(&self, joined: &HashSet<OwnedRoomId>) -> bool {
        match self.membership.as_deref() {
            Some("join" | "invite") => true,
            Some("ban") => self.summary.world_readable,
            _ => {
                let mut through = self.lets_in_through().filter_map(|room_id| <&RoomId>::try_from(room_id).ok());
                summary::is_open(&self.summary) || through.any(|room_id| joined.contains(room_id))
            }
        }
    }
}
