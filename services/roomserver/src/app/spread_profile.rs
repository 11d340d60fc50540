//! A changed profile reaches a room: the member event repeats the name and the avatar (client-server specification, "Events on Change of
//! Profile Information").

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::roomserver::Profile;
use banyan_rooms::{
    event_builder::{self, EventDraft},
    pdu::Pdu,
    state::StateKey,
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::{Map, Value};

use super::member_event;
use crate::{
    actor::{Caller, Shard, Turn},
    errors,
};

/// What a member event says of one change of membership, and of the profile until now: a renewed one says nothing of it.
const PASSING: [&str; 5] = ["displayname", "avatar_url", "reason", "third_party_invite", "join_authorised_via_users_server"];

/// Whose profile is to be in which room's state.
#[derive(Debug)]
pub(crate) struct SpreadProfile {
    pub(crate) user_id: OwnedUserId,
    pub(crate) room_id: OwnedRoomId,
}

/// Renews the member event of who is in the room, unless it says already what the profile says. Doing it again changes nothing.
pub(crate) async fn spread_profile(shard: Arc<Shard>, command: SpreadProfile) -> Result<(), ServiceError> {
    let SpreadProfile { user_id, room_id } = &command;
    let mut turn = Turn::begin(&shard, room_id).await?;
    if !turn.exists() {
        return shard.confirm(()).await;
    }
    let member = turn.state_event("m.room.member", user_id.as_str()).await?;
    let Some(member) = member.filter(|event| event.membership() == Some("join")) else { return shard.confirm(()).await };
    // Read within the turn: whoever is late with an older change spreads the newer one, and never takes it back.
    let Some(profile) = profile_of(&turn, user_id).await? else { return shard.confirm(()).await };
    let Some(draft) = renewed(&turn, user_id, &member, &profile)? else { return shard.confirm(()).await };
    turn.check_server(user_id.server_name()).await?;
    let event_id = turn.send(draft, None, &[]).await?;
    let tenant = user_id.server_name().as_str().into();
    let caller = Caller { tenant, user_id: user_id.clone(), device_id: String::new(), request_id: None, guest: false };
    turn.commit(&caller, Vec::new(), event_id.as_str()).await.map(drop)
}

/// The profile for member events; `None` for an account that is gone: it leaves its rooms as it is known there.
async fn profile_of(turn: &Turn, user_id: &UserId) -> Result<Option<Profile>, ServiceError> {
    let account = turn.users().account(user_id.as_str()).await?;
    if account.is_none_or(|account| account.deactivated) {
        return Ok(None);
    }
    let fields = turn.users().profile(user_id.as_str()).await?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(Profile { displayname: text("displayname"), avatar_url: text("avatar_url") }))
}

/// The member event with the profile; `None` if it has that already.
fn renewed(turn: &Turn, user_id: &UserId, member: &Pdu, profile: &Profile) -> Result<Option<EventDraft>, ServiceError> {
    let mut content: Map<String, Value> = member.content_as().map_err(|error| ServiceError::internal(error.to_string()))?;
    let says = |name: &str, value: &str| content.get(name).and_then(Value::as_str).unwrap_or_default() == value;
    if says("displayname", &profile.displayname) && says("avatar_url", &profile.avatar_url) {
        return Ok(None);
    }
    content.retain(|name, _| !PASSING.contains(&name.as_str()));
    let mut content = Value::Object(content);
    member_event::set_profile(&mut content, profile);
    let json = serde_json::to_vec(&content).unwrap_or_default();
    let content = event_builder::content_from_json(&json).map_err(|error| errors::build(&error))?;
    Ok(Some(EventDraft::state(user_id.to_owned(), StateKey::member(user_id), content, turn.timestamp())))
}
