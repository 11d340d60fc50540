//! Sends an event: message, state or redaction.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::{
    rooms::Transaction,
    roomserver::{Profile, change_membership_request::Action},
};
use banyan_rooms::{
    event_builder::{self, EventDraft},
    state::StateKey,
};
use bytes::Bytes;
use ruma::{
    CanonicalJsonObject, EventId, OwnedRoomId, UserId,
    events::{StateEventType, TimelineEventType},
};

use super::{
    canonical_alias,
    change_membership::{self, ChangeMembership},
    guests, intents, power_levels, redact, relations, same_state,
};
use crate::{
    actor::{Caller, CommandKey, Shard, Turn},
    content::server_acl,
    errors,
};

/// What is asked.
#[derive(Debug)]
pub(crate) struct SendEvent {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) event_type: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Bytes,
    /// Empty unless it is a redaction.
    pub(crate) redacts: String,
    /// Empty where the endpoint has none.
    pub(crate) txn_id: String,
    pub(crate) txn_scope: String,
}

impl SendEvent {
    fn transaction(&self) -> Option<Transaction> {
        (!self.txn_id.is_empty()).then(|| Transaction {
            user_id: self.caller.user_id.to_string(),
            device_id: self.caller.device_id.clone(),
            scope: self.txn_scope.clone(),
            txn_id: self.txn_id.clone(),
        })
    }
}

/// Sends the event; answers its id, or that of an earlier one that the same transaction made.
pub(crate) async fn send_event(shard: Arc<Shard>, command: SendEvent) -> Result<Arc<str>, ServiceError> {
    if command.event_type == "m.room.member" && command.state_key.is_some() {
        return send_membership(shard, command).await;
    }
    if command.event_type == "m.room.create" && command.state_key.is_some() {
        return Err(ServiceError::invalid_param("a room has one m.room.create event, its first"));
    }
    let content = event_builder::content_from_json(&command.content).map_err(|error| errors::build(&error))?;
    let transaction = command.transaction();
    if let Some(answer) = shard.earlier(&command.caller, transaction.as_ref()).await? {
        return Ok(answer);
    }
    if command.event_type == "m.room.redaction" && command.state_key.is_none() {
        return redact::redact(&shard, &command, content, transaction).await;
    }
    let mut turn = Turn::begin(&shard, &command.room_id).await?;
    if let Some(outcome) = shard.outcome(&command.caller, transaction.as_ref()) {
        drop(turn);
        return outcome.await;
    }
    check_sender(&turn, &command.caller.user_id).await?;
    relations::check(&turn, &command, &content).await?;
    let mut shuts_guests_out = false;
    if command.state_key.as_deref() == Some("") {
        match command.event_type.as_str() {
            "m.room.canonical_alias" => canonical_alias::check(&turn, &content).await?,
            "m.room.power_levels" => power_levels::check(&turn, &content).await?,
            "m.room.guest_access" => shuts_guests_out = !guests::lets_in(&content) && guests::may_join(&turn).await?,
            _ => {}
        }
    }
    let draft = draft(&turn, &command, content);
    if let Some(event_id) = same_state::same_state(&turn, &draft).await? {
        return shard.confirm(event_id.as_str().into()).await;
    }
    let keys = transaction.iter().map(CommandKey::from).collect();
    let event_id = turn.send(draft, transaction, &[]).await?;
    if shuts_guests_out {
        guests::shut_out(&mut turn, &command.caller.user_id);
    }
    let answer = turn.commit(&command.caller, keys, event_id.as_str()).await?;
    if shuts_guests_out {
        intents::finish(&shard, &command.room_id, intents::GUESTS).await;
    }
    Ok(answer)
}

/// What everybody must be who sends something: in the room, from a server that may be.
pub(super) async fn check_sender(turn: &Turn, user_id: &UserId) -> Result<(), ServiceError> {
    let not_in = || ServiceError::forbidden("you have not joined this room");
    if !turn.exists() {
        return Err(not_in());
    }
    let events = turn.state_events(&[StateKey::member(user_id), StateKey::plain(StateEventType::RoomServerAcl)]).await?;
    if !events.iter().any(|event| event.membership() == Some("join")) {
        return Err(not_in());
    }
    let acl = events.iter().find(|event| *event.kind() == TimelineEventType::RoomServerAcl);
    server_acl::check(acl, user_id.server_name())
}

pub(super) fn draft(turn: &Turn, command: &SendEvent, content: CanonicalJsonObject) -> EventDraft {
    EventDraft {
        sender: command.caller.user_id.clone(),
        kind: TimelineEventType::from(command.event_type.as_str()),
        state_key: command.state_key.clone(),
        content,
        redacts: EventId::parse(command.redacts.as_str()).ok(),
        origin_server_ts: turn.timestamp(),
    }
}

/// A membership that is set through the state endpoint follows the rules of memberships.
async fn send_membership(shard: Arc<Shard>, command: SendEvent) -> Result<Arc<str>, ServiceError> {
    let content = event_builder::content_from_json(&command.content).map_err(|error| errors::build(&error))?;
    let target = command.state_key.as_deref().unwrap_or_default();
    let target = UserId::parse(target).map_err(|_| ServiceError::invalid_param("the state key is not a user id"))?;
    let membership = content.get("membership").and_then(|value| value.as_str()).unwrap_or_default();
    let own = target == command.caller.user_id;
    let action = match membership {
        "join" => Action::Join,
        "invite" => Action::Invite,
        "ban" => Action::Ban,
        "knock" => Action::Knock,
        "leave" if own => Action::Leave,
        "leave" => change_membership::removal(&shard, &command.room_id, &target).await?,
        _ => return Err(ServiceError::bad_json("content.membership is not a membership")),
    };
    let command = ChangeMembership {
        caller: command.caller,
        room_id: command.room_id,
        target,
        action,
        reason: String::new(),
        profile: Profile::default(),
        content: command.content,
        third_party_signed: Bytes::new(),
    };
    change_membership::change_membership(shard, command).await
}
