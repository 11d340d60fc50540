//! Changes someone's membership: join, leave, invite, kick, ban, unban, knock (client-server specification, "Room membership").
//!
//! Authorisation has the last word. What stands here before it are the cases that the specification answers otherwise than by its rules
//! alone, repeated joins and leaves above all, and words that say what is wrong.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::roomserver::{Profile, change_membership_request::Action};
use banyan_rooms::{
    event_builder::{self, EventDraft},
    pdu::Pdu,
    state::StateKey,
};
use bytes::Bytes;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId};
use serde_json::{Map, Value};

use super::{forced_forget, guests, invite_permission, member_event, restricted, same_state, third_party};
use crate::{
    actor::{Caller, Shard, Turn},
    errors,
};

/// What is asked.
#[derive(Debug)]
pub(crate) struct ChangeMembership {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) target: OwnedUserId,
    pub(crate) action: Action,
    /// Empty for none.
    pub(crate) reason: String,
    pub(crate) profile: Profile,
    /// Further content, a JSON object; empty for none.
    pub(crate) content: Bytes,
    /// For joins: the invitation by a third-party identifier to take up, a JSON object; empty for none.
    pub(crate) third_party_signed: Bytes,
}

/// Changes the membership; answers the event that says so now, a new one or the one that did already.
pub(crate) async fn change_membership(shard: Arc<Shard>, command: ChangeMembership) -> Result<Arc<str>, ServiceError> {
    check_command(&shard, &command)?;
    if let Some(answer) = shard.earlier(&command.caller, None).await? {
        return Ok(answer);
    }
    let mut turn = Turn::begin(&shard, &command.room_id).await?;
    if let Some(outcome) = shard.outcome(&command.caller, None) {
        drop(turn);
        return outcome.await;
    }
    if !turn.exists() {
        return Err(unknown_room(command.action));
    }
    let mut current = turn.state_event("m.room.member", command.target.as_str()).await?;
    if let Some(done) = already(&command, current.as_ref())? {
        return shard.confirm(done).await;
    }
    check_standing(&turn, &command, membership_of(current.as_ref())).await?;
    if command.caller.guest && command.action == Action::Join {
        guests::check_join(&turn).await?;
    }
    if command.action == Action::Join && !command.third_party_signed.is_empty() {
        third_party::invite(&mut turn, &command.target, &command.third_party_signed).await?;
        current = turn.state_event("m.room.member", command.target.as_str()).await?;
    }
    let (draft, authoriser) = draft(&turn, &command, membership_of(current.as_ref())).await?;
    if let Some(event_id) = same_state::same_state(&turn, &draft).await? {
        return shard.confirm(event_id.as_str().into()).await;
    }
    let mut co_signers: Vec<&ServerName> = Vec::new();
    if command.action == Action::Invite {
        co_signers.push(command.target.server_name());
    }
    co_signers.extend(authoriser.as_deref().map(UserId::server_name));
    let event_id = turn.send(draft, None, &co_signers).await?;
    forced_forget::forget(&mut turn, &command.target);
    turn.commit(&command.caller, Vec::new(), event_id.as_str()).await
}

/// Whether taking `target` out of a room is a kick or lifts a ban.
pub(crate) async fn removal(shard: &Arc<Shard>, room_id: &RoomId, target: &UserId) -> Result<Action, ServiceError> {
    let turn = Turn::begin(shard, room_id).await?;
    let banned = turn.exists() && turn.membership(target.as_str()).await? == "ban";
    Ok(if banned { Action::Unban } else { Action::Kick })
}

fn check_command(shard: &Shard, command: &ChangeMembership) -> Result<(), ServiceError> {
    let own = command.target == command.caller.user_id;
    match command.action {
        Action::Join | Action::Leave | Action::Knock if !own => {
            Err(ServiceError::forbidden("only the user themselves can do this"))
        }
        Action::Kick | Action::Ban | Action::Unban | Action::Invite if own => {
            Err(ServiceError::forbidden("you cannot do this to yourself"))
        }
        Action::Invite if !shard.shared.tenants.is_local(command.target.server_name().as_str()) => {
            Err(errors::remote(command.target.as_str()))
        }
        Action::Unspecified => Err(ServiceError::invalid_param("no action")),
        _ => Ok(()),
    }
}

fn unknown_room(action: Action) -> ServiceError {
    match action {
        Action::Join | Action::Knock => ServiceError::not_found("there is no such room here"),
        _ => ServiceError::forbidden("you are not in this room"),
    }
}

fn membership_of(event: Option<&Pdu>) -> Option<&str> {
    event.and_then(Pdu::membership)
}

/// The event that did this before, for what may be asked twice: a join without further content, leaving what was left.
fn already(command: &ChangeMembership, current: Option<&Pdu>) -> Result<Option<Arc<str>>, ServiceError> {
    let membership = membership_of(current);
    let done = match command.action {
        Action::Join => membership == Some("join") && command.content.is_empty(),
        Action::Leave => membership == Some("leave"),
        Action::Knock => membership == Some("knock") && command.content.is_empty() && command.reason.is_empty(),
        _ => false,
    };
    if command.action == Action::Leave && membership.is_none() {
        return Err(ServiceError::forbidden("you are not in this room"));
    }
    Ok(current.filter(|_| done).map(|event| event.event_id().as_str().into()))
}

/// Refuses what the target's or the caller's standing forbids.
async fn check_standing(turn: &Turn, command: &ChangeMembership, target: Option<&str>) -> Result<(), ServiceError> {
    let refuse = |message: String| Err(ServiceError::forbidden(message));
    let user = &command.target;
    turn.check_server(command.caller.user_id.server_name()).await?;
    if matches!(command.action, Action::Invite | Action::Kick | Action::Ban | Action::Unban)
        && turn.membership(command.caller.user_id.as_str()).await? != "join"
    {
        return refuse("you have not joined this room".to_owned());
    }
    match (command.action, target) {
        (Action::Join | Action::Knock, Some("ban")) => refuse("you are banned from this room".to_owned()),
        (Action::Leave, Some("ban")) => refuse("you are banned from this room".to_owned()),
        (Action::Knock, Some("join")) => refuse("you have joined this room".to_owned()),
        (Action::Knock, Some("invite")) => refuse("you are invited to this room".to_owned()),
        (Action::Invite, Some("join")) => refuse(format!("{user} is in the room already")),
        (Action::Invite, Some("ban")) => refuse(format!("{user} is banned from the room")),
        (Action::Kick, Some("ban")) => refuse(format!("{user} is banned from the room: a ban is lifted, not kicked")),
        (Action::Kick, None | Some("leave")) => refuse(format!("{user} is not in the room")),
        (Action::Unban, Some("ban")) => Ok(()),
        (Action::Unban, _) => refuse(format!("{user} is not banned from the room")),
        (Action::Invite, _) => {
            turn.check_server(user.server_name()).await?;
            invite_permission::check(turn, user).await
        }
        _ => Ok(()),
    }
}

/// The member event to send, and who vouches for it.
async fn draft(
    turn: &Turn,
    command: &ChangeMembership,
    current: Option<&str>,
) -> Result<(EventDraft, Option<OwnedUserId>), ServiceError> {
    let mut content = further_content(&command.content)?;
    let membership = match command.action {
        Action::Join => "join",
        Action::Invite => "invite",
        Action::Ban => "ban",
        Action::Knock => "knock",
        Action::Leave | Action::Kick | Action::Unban | Action::Unspecified => "leave",
    };
    content["membership"] = membership.into();
    if !command.reason.is_empty() {
        content["reason"] = command.reason.as_str().into();
    }
    if matches!(command.action, Action::Join | Action::Invite | Action::Knock) {
        member_event::set_profile(&mut content, &command.profile);
    }
    let mut authoriser = None;
    if command.action == Action::Join {
        // Only this server says who vouches.
        content.as_object_mut().and_then(|content| content.remove("join_authorised_via_users_server"));
        authoriser = restricted::authoriser(turn, &command.target, current.unwrap_or("leave")).await?;
        if let Some(user) = &authoriser {
            content["join_authorised_via_users_server"] = user.as_str().into();
        }
    }
    let json = serde_json::to_vec(&content).unwrap_or_default();
    let content = event_builder::content_from_json(&json).map_err(|error| errors::build(&error))?;
    let sender = command.caller.user_id.clone();
    Ok((EventDraft::state(sender, StateKey::member(&command.target), content, turn.timestamp()), authoriser))
}

fn further_content(json: &[u8]) -> Result<Value, ServiceError> {
    if json.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let content: Map<String, Value> = serde_json::from_slice(json).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    Ok(Value::Object(content))
}
