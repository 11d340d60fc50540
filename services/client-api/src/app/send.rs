//! Sending events.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::SendEventRequest;
use banyan_rooms::reader::At;
use bytes::Bytes;
use ruma::{EventId, RoomAliasId, RoomId};
use serde_json::Value;

use super::{App, Requester, commands::RoomClient};

impl App {
    /// Sends a message event and answers its id; the same for a repetition of the transaction.
    ///
    /// # Errors
    /// What the room's owner answers.
    pub(crate) async fn send(&self, requester: &Requester, room_id: &RoomId, kind: &str, txn_id: &str, content: Bytes) -> Result<String, ServiceError> {
        let redacts = if kind == "m.room.redaction" { redacts_of(&content)? } else { String::new() };
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
    /// M_BAD_ALIAS and M_INVALID_PARAM for a canonical alias that does not lead here, and what the room's owner answers.
    pub(crate) async fn put_state(&self, requester: &Requester, room_id: &RoomId, kind: &str, state_key: &str, content: Bytes) -> Result<String, ServiceError> {
        if kind == "m.room.member" {
            return self.put_membership(requester, room_id, state_key, &content).await;
        }
        if kind == "m.room.canonical_alias" && state_key.is_empty() {
            self.check_canonical_alias(room_id, &content).await?;
        }
        let request = SendEventRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            r#type: kind.to_owned(),
            state_key: Some(state_key.to_owned()),
            content,
            ..SendEventRequest::default()
        };
        self.send_at_owner(request).await
    }

    async fn send_at_owner(&self, request: SendEventRequest) -> Result<String, ServiceError> {
        let room_id = request.room_id.clone();
        let call = |mut client: RoomClient, request| async move { client.send_event(request).await };
        Ok(self.commands.room(&room_id, request, call).await?.event_id)
    }

    /// Aliases that a client adds must be aliases and lead to this room (client-server API, PUT /rooms/{roomId}/state).
    async fn check_canonical_alias(&self, room_id: &RoomId, content: &[u8]) -> Result<(), ServiceError> {
        let old = self.rooms.state_event(room_id, "m.room.canonical_alias", "", &At::Now).await?;
        let old = old.map(|event| aliases_in(event.content().as_bytes())).transpose()?.unwrap_or_default();
        for alias in aliases_in(content)?.into_iter().filter(|alias| !old.contains(alias)) {
            let alias = RoomAliasId::parse(&alias).map_err(|_| ServiceError::invalid_param(format!("{alias} is not a room alias")))?;
            let row = self.rooms.alias(&alias).await?;
            if row.is_none_or(|row| row.room_id != room_id.as_str()) {
                let message = format!("The alias {alias} does not lead to this room");
                return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_BAD_ALIAS", message));
            }
        }
        Ok(())
    }
}

/// `alias` and `alt_aliases` of a content.
fn aliases_in(content: &[u8]) -> Result<Vec<String>, ServiceError> {
    let content: Value = serde_json::from_slice(content).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| ServiceError::invalid_param("An alias is a string"));
    let mut aliases = Vec::new();
    match &content["alias"] {
        Value::Null => {}
        Value::String(alias) if alias.is_empty() => {}
        alias => aliases.push(text(alias)?),
    }
    if let Some(others) = content["alt_aliases"].as_array() {
        for alias in others {
            aliases.push(text(alias)?);
        }
    }
    Ok(aliases)
}

/// The event that a redaction sent as a message names in its content.
fn redacts_of(content: &[u8]) -> Result<String, ServiceError> {
    let content: Value = serde_json::from_slice(content).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    content["redacts"].as_str().map(str::to_owned).ok_or_else(|| ServiceError::bad_json("content.redacts is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_found_wherever_they_stand() {
        assert_eq!(aliases_in(br##"{"alias":"#a:x","alt_aliases":["#b:x"]}"##).unwrap(), ["#a:x", "#b:x"]);
        assert!(aliases_in(b"{\"alias\":null}").unwrap().is_empty());
        assert!(aliases_in(b"{\"alias\":\"\"}").unwrap().is_empty());
        assert_eq!(aliases_in(b"{\"alias\":1}").unwrap_err().errcode.as_deref(), Some("M_INVALID_PARAM"));
    }

    #[test]
    fn a_redaction_names_its_event() {
        assert_eq!(redacts_of(b"{\"redacts\":\"$a\"}").unwrap(), "$a");
        assert_eq!(redacts_of(b"{}").unwrap_err().errcode.as_deref(), Some("M_BAD_JSON"));
    }
}
