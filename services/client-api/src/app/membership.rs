//! Joining, knocking, leaving, inviting, kicking, banning, unbanning, forgetting.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::{ChangeMembershipRequest, ForgetRoomRequest, change_membership_request::Action};
use bytes::Bytes;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{App, Requester};
use crate::calls::RoomClient;

/// A body with a reason or nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reason {
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// The body of a join. What it has beside the specification's members becomes part of the member event, as clients expect of servers.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct JoinWish {
    #[serde(default)]
    reason: Option<String>,
    /// Of an invitation by a third-party identifier.
    #[serde(default)]
    third_party_signed: Option<Map<String, Value>>,
    #[serde(flatten)]
    content: Map<String, Value>,
}

/// A change of somebody's membership.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) target: &'a UserId,
    pub(crate) action: Action,
    pub(crate) reason: Option<String>,
    /// Further content of the member event, a JSON object; empty for none.
    pub(crate) content: Bytes,
    /// For joins, a JSON object; empty for none.
    pub(crate) third_party_signed: Bytes,
}

impl<'a> Change<'a> {
    /// A change of which there is no more to say.
    pub(crate) const fn of(target: &'a UserId, action: Action) -> Self {
        Self { target, action, reason: None, content: Bytes::new(), third_party_signed: Bytes::new() }
    }
}

impl App {
    /// Joins the room that an id or an alias names.
    ///
    /// # Errors
    /// M_NOT_FOUND for a room or alias that is not known here, M_GUEST_ACCESS_FORBIDDEN, M_FORBIDDEN.
    pub(crate) async fn join(&self, requester: &Requester, id_or_alias: &str, wish: JoinWish) -> Result<OwnedRoomId, ServiceError> {
        let room_id = self.room_of(id_or_alias).await?;
        let JoinWish { reason, third_party_signed, content } = wish;
        // Not `{}`: a join without content is done already for who is joined.
        let content = if content.is_empty() { Bytes::new() } else { Value::Object(content).to_string().into() };
        let third_party_signed = third_party_signed.map(|signed| Value::Object(signed).to_string().into()).unwrap_or_default();
        let change = Change { reason, content, third_party_signed, ..Change::of(&requester.user_id, Action::Join) };
        self.change_membership(requester, &room_id, change).await?;
        self.carry_over(requester, &room_id).await;
        Ok(room_id)
    }

    /// Knocks at the room that an id or an alias names.
    ///
    /// # Errors
    /// M_NOT_FOUND for a room or alias that is not known here, M_FORBIDDEN.
    pub(crate) async fn knock(
        &self,
        requester: &Requester,
        id_or_alias: &str,
        reason: Option<String>,
    ) -> Result<OwnedRoomId, ServiceError> {
        let room_id = self.room_of(id_or_alias).await?;
        let change = Change { reason, ..Change::of(&requester.user_id, Action::Knock) };
        self.change_membership(requester, &room_id, change).await?;
        Ok(room_id)
    }

    /// Changes a membership and answers the event's id.
    ///
    /// # Errors
    /// What the room's owner answers.
    pub(crate) async fn change_membership(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        change: Change<'_>,
    ) -> Result<String, ServiceError> {
        if self.rooms.head(room_id).await?.is_none() {
            return Err(unknown_room(change.action));
        }
        let needs_profile = matches!(change.action, Action::Join | Action::Invite | Action::Knock);
        let is_ours = self.tenants.is_local(change.target.server_name().as_str());
        let profile = if needs_profile && is_ours { Some(self.member_profile(change.target.as_str()).await) } else { None };
        let joins = profile.clone().filter(|_| change.action == Action::Join);
        let request = ChangeMembershipRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            target: change.target.to_string(),
            action: change.action.into(),
            reason: change.reason.unwrap_or_default(),
            profile,
            content: change.content,
            third_party_signed: change.third_party_signed,
        };
        let event_id = self.change_membership_at_owner(request).await?;
        if let Some(sent) = joins {
            self.catch_up_profile(requester, room_id.as_str(), &sent).await;
        }
        Ok(event_id)
    }

    pub(crate) async fn change_membership_at_owner(&self, request: ChangeMembershipRequest) -> Result<String, ServiceError> {
        let room_id = request.room_id.clone();
        let call = |mut client: RoomClient, request| async move { client.change_membership(request).await };
        Ok(self.commands.room(&room_id, request, call).await?.event_id)
    }

    /// Forgets a room that the caller has left.
    ///
    /// # Errors
    /// M_UNKNOWN while the caller is in it.
    pub(crate) async fn forget(&self, requester: &Requester, room_id: &RoomId) -> Result<(), ServiceError> {
        if self.rooms.membership(&requester.user_id, room_id).await?.is_none() {
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "You were never in this room"));
        }
        let request = ForgetRoomRequest { caller: Some(requester.to_rooms()), room_id: room_id.to_string() };
        let call = |mut client: RoomClient, request| async move { client.forget_room(request).await };
        self.commands.room(room_id.as_str(), request, call).await.map(|_| ())
    }

    /// The rooms the caller is joined to.
    pub(crate) async fn joined_rooms(&self, requester: &Requester) -> Result<Vec<OwnedRoomId>, ServiceError> {
        Ok(self.rooms.joined_rooms(&requester.user_id).await?)
    }
}

/// A room that nobody here is in: it may exist elsewhere, so joining says that it was not found; for the rest nobody is a member.
fn unknown_room(action: Action) -> ServiceError {
    match action {
        Action::Join | Action::Knock => ServiceError::not_found("No server is known that is in this room"),
        _ => ServiceError::forbidden("You are not in this room"),
    }
}
