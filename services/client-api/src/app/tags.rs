//! Tags of rooms.

use banyan_core::ServiceError;
use banyan_proto::userserver::SetTagRequest;
use banyan_users::tags;
use bytes::Bytes;
use ruma::{RoomId, UserId};
use serde_json::{Map, Value};

use super::{App, Requester};
use crate::calls::UserClient;

impl App {
    /// The caller's tags of a room, by name.
    ///
    /// # Errors
    /// `M_FORBIDDEN` for those of another.
    pub(crate) async fn tags(
        &self,
        requester: &Requester,
        user_id: &UserId,
        room_id: &RoomId,
    ) -> Result<Map<String, Value>, ServiceError> {
        requester.must_be(user_id)?;
        let data = self.users.account_data(user_id.as_str(), Some(room_id.as_str()), tags::TAG).await?;
        Ok(data.map(|data| tags::of_content(&data.content)).unwrap_or_default())
    }

    /// Sets a tag of the caller, or removes it if the content is empty.
    ///
    /// # Errors
    /// `M_FORBIDDEN` for that of another, what [`tags::check`] says, and what the owner answers.
    pub(crate) async fn set_tag(
        &self,
        requester: &Requester,
        (user_id, room_id, tag): (&UserId, &RoomId, String),
        content: Bytes,
    ) -> Result<(), ServiceError> {
        requester.must_be(user_id)?;
        if !content.is_empty() {
            tags::check(&tag, &content)?;
        }
        let request = SetTagRequest { caller: Some(requester.to_users()), room_id: room_id.to_string(), tag, content };
        let call = |mut client: UserClient, request| async move { client.set_tag(request).await };
        self.commands.user(user_id.as_str(), request, call).await.map(drop)
    }
}
