//! Sending events.

use banyan_core::ServiceError;
use banyan_proto::roomserver::SendEventRequest;
use banyan_rooms::visibility::Access;
use bytes::Bytes;
use ruma::{EventId, RoomId};
use serde_json::Value;

use super::{App, Requester, auth::suspended};
use crate::calls::RoomClient;

impl App {
    /// Sends a message event and answers its id; the same for a repetition of the transaction.
    ///
    /// # Errors
    /// What the room's owner answers.
    pub(crate) async fn send(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        kind: &str,
        txn_id: &str,
        content: Bytes,
    ) -> Result<String, ServiceError> {
        let redacts = if kind == "m.room.redaction" { redacts_of(&content)? } else { String::new() };
        self.check_suspended(requester, room_id, &redacts).await?;
        let request = SendEventRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            r#type: kind.to_owned(),
            state_key: None,
            content,
            redacts,
            txn_id: txn_id.to_owned(),
            txn_scope: format!("send {room_id} {kind}"),
        };
        self.send_at_owner(request).await
    }

    /// Redacts an event.
    ///
    /// # Errors
    /// What the room's owner answers.
    pub(crate) async fn redact(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &EventId,
        txn_id: &str,
        reason: Option<String>,
    ) -> Result<String, ServiceError> {
        self.check_suspended(requester, room_id, event_id.as_str()).await?;
        let content = reason.map_or_else(|| "{}".to_owned(), |reason| serde_json::json!({ "reason": reason }).to_string());
        let request = SendEventRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            r#type: "m.room.redaction".to_owned(),
            state_key: None,
            content: content.into_bytes().into(),
            redacts: event_id.to_string(),
            txn_id: txn_id.to_owned(),
            txn_scope: format!("redact {room_id} {event_id}"),
        };
        self.send_at_owner(request).await
    }

    /// Sets a state event and answers its id.
    ///
    /// # Errors
    /// What the room's owner answers.
    pub(crate) async fn put_state(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        kind: &str,
        state_key: &str,
        content: Bytes,
    ) -> Result<String, ServiceError> {
        let request = SendEventRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            r#type: kind.to_owned(),
            state_key: Some(state_key.to_owned()),
            content: content.clone(),
            ..SendEventRequest::default()
        };
        let event_id = self.send_at_owner(request).await?;
        if kind == "m.room.tombstone" && state_key.is_empty() {
            // Whoever upgrades a room by hand is in the new one already.
            let content: Value = serde_json::from_slice(&content).unwrap_or_default();
            if let Some(Ok(replacement)) = content["replacement_room"].as_str().map(RoomId::parse)
                && self.rooms.access(&replacement, &requester.user_id).await? == Access::Joined
            {
                self.carry_over(requester, &replacement).await;
            }
        }
        Ok(event_id)
    }

    /// Refuses a suspended user everything but the redaction of an event of their own (specification: "Account suspension").
    pub(super) async fn check_suspended(&self, requester: &Requester, room_id: &RoomId, redacts: &str) -> Result<(), ServiceError> {
        if !requester.suspended {
            return Ok(());
        }
        let event_id = EventId::parse(redacts).map_err(|_| suspended())?;
        let event = self.rooms.event(room_id, &event_id).await?.ok_or_else(suspended)?;
        let pdu: Value = serde_json::from_slice(&event.pdu).map_err(|error| ServiceError::internal(error.to_string()))?;
        if pdu["sender"] == requester.user_id.as_str() { Ok(()) } else { Err(suspended()) }
    }

    pub(super) async fn send_at_owner(&self, request: SendEventRequest) -> Result<String, ServiceError> {
        let room_id = request.room_id.clone();
        let call = |mut client: RoomClient, request| async move { client.send_event(request).await };
        Ok(self.commands.room(&room_id, request, call).await?.event_id)
    }
}

/// The event that a redaction sent as a message names in its content.
pub(super) fn redacts_of(content: &[u8]) -> Result<String, ServiceError> {
    let content: Value = serde_json::from_slice(content).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    content["redacts"].as_str().map(str::to_owned).ok_or_else(|| ServiceError::bad_json("content.redacts is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redaction_names_its_event() {
        assert_eq!(redacts_of(b"{\"redacts\":\"$a\"}").unwrap(), "$a");
        assert_eq!(redacts_of(b"{}").unwrap_err().errcode.as_deref(), Some("M_BAD_JSON"));
    }
}
