//! Who types.

use std::time::Duration;

use banyan_core::ServiceError;
use banyan_proto::roomserver::SetTypingRequest;
use ruma::{RoomId, UserId};

use super::{App, Requester};
use crate::calls::RoomClient;

impl App {
    /// Says that the caller types in a room for some time, or not any more (`None`).
    ///
    /// # Errors
    /// `M_FORBIDDEN` for somebody else and in rooms of others.
    pub(crate) async fn set_typing(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        user_id: &UserId,
        time: Option<Duration>,
    ) -> Result<(), ServiceError> {
        requester.must_be(user_id)?;
        let timeout_ms = time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let request = SetTypingRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            typing: time.is_some(),
            timeout_ms,
        };
        let call = |mut client: RoomClient, request| async move { client.set_typing(request).await };
        self.commands.room(room_id.as_str(), request, call).await.map(drop)
    }
}
