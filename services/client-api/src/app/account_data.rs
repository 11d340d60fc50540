//! Account data.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::SetAccountDataRequest;
use bytes::Bytes;
use ruma::{RoomId, UserId};

use super::{App, Requester};

/// Kinds that have endpoints of their own, so that clients cannot write them here.
const SERVER_CONTROLLED: [&str; 2] = ["m.fully_read", "m.push_rules"];

impl App {
    /// A piece of the caller's account data: a JSON object.
    ///
    /// # Errors
    /// M_FORBIDDEN for that of another, M_NOT_FOUND.
    pub(crate) async fn account_data(
        &self,
        requester: &Requester,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        kind: &str,
    ) -> Result<Bytes, ServiceError> {
        requester.must_be(user_id)?;
        if room_id.is_none() && kind == "m.push_rules" {
            return Ok(self.push_rules(requester).await?.to_string().into());
        }
        let data = self.users.account_data(user_id.as_str(), room_id.map(RoomId::as_str), kind).await?;
        Ok(data.ok_or_else(|| ServiceError::not_found("There is no such account data"))?.content)
    }

    /// Sets a piece of the caller's account data.
    ///
    /// # Errors
    /// M_FORBIDDEN for that of another, and what the owner answers.
    pub(crate) async fn set_account_data(
        &self,
        requester: &Requester,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        kind: &str,
        content: Bytes,
    ) -> Result<(), ServiceError> {
        requester.must_be(user_id)?;
        if kind.is_empty() || kind.len() > 255 {
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_PARAM", "A type has 1 to 255 bytes"));
        }
        let room_id = room_id.map(ToString::to_string).unwrap_or_default();
        let request = SetAccountDataRequest { caller: Some(requester.to_users()), room_id, r#type: kind.to_owned(), content };
        let call = |mut client: crate::calls::UserClient, request| async move { client.set_account_data(request).await };
        self.commands.user(user_id.as_str(), request, call).await.map(|_| ())
    }
}

/// Whether a kind of account data is the server's to write.
pub(crate) fn is_server_controlled(kind: &str) -> bool {
    SERVER_CONTROLLED.contains(&kind)
}
