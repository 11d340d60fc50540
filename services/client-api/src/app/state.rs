//! Reading room state.

use banyan_core::ServiceError;
use banyan_rooms::{
    client_event::client_state_event,
    reader::{At, StateEvent},
    visibility::Access,
};
use ruma::RoomId;

use super::{App, Requester};

impl App {
    /// The state of a room that the caller may see, each event in the client format.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room.
    pub(crate) async fn state(&self, requester: &Requester, room_id: &RoomId) -> Result<Vec<Vec<u8>>, ServiceError> {
        let at = self.visible_state(requester, room_id).await?;
        self.rooms.state(room_id, &at).await?.iter().map(|event| self.render_state(event, room_id)).collect()
    }

    /// One state event of a room that the caller may see.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_NOT_FOUND.
    pub(crate) async fn state_event(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        kind: &str,
        state_key: &str,
    ) -> Result<StateEvent, ServiceError> {
        let at = self.visible_state(requester, room_id).await?;
        let event = self.rooms.state_event(room_id, kind, state_key, &at).await?;
        event.ok_or_else(|| ServiceError::not_found("The room has no such state"))
    }

    /// The state that the caller may see: that of now, or that of when they left.
    pub(crate) async fn visible_state(&self, requester: &Requester, room_id: &RoomId) -> Result<At, ServiceError> {
        self.access(requester, room_id).await?.state().ok_or_else(not_a_member)
    }

    /// A state event in the client format.
    pub(crate) fn render_state(&self, event: &StateEvent, room_id: &RoomId) -> Result<Vec<u8>, ServiceError> {
        Ok(client_state_event(&event.pdu, &event.event_id, Some(room_id), self.clock.now())?)
    }

    /// How far the caller may look into a room.
    ///
    /// # Errors
    /// M_FORBIDDEN for who may see nothing.
    pub(crate) async fn access(&self, requester: &Requester, room_id: &RoomId) -> Result<Access, ServiceError> {
        match self.rooms.access(room_id, &requester.user_id).await? {
            Access::None => Err(not_a_member()),
            access => Ok(access),
        }
    }
}

/// Said of rooms that the caller is not in and of rooms that do not exist: the two look the same.
pub(crate) fn not_a_member() -> ServiceError {
    ServiceError::forbidden("You are not in this room")
}
