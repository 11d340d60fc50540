//! Guests: they join only where the room says so, and leave when it says so no more (client-server specification, "Guest Access").

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    rooms::{Intent, LeaveGuests, room_entry::Kind},
    users::account,
};
use banyan_rooms::{
    event_builder::EventDraft,
    pdu::Pdu,
    state::{StateKey, StatePage},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId, RoomId, UserId};

use super::{forced_forget, intents};
use crate::{
    actor::{Caller, Shard, Turn},
    errors,
};

/// Members that are looked at in one go; those of them who are guests leave in one turn, whose entries are one group.
const AT_ONCE: usize = 100;
/// Accounts that are read side by side.
const READS: usize = 32;

/// Refuses guests where m.room.guest_access is not `can_join`.
pub(super) async fn check_join(turn: &Turn) -> Result<(), ServiceError> {
    if may_join(turn).await? {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::Forbidden, "M_GUEST_ACCESS_FORBIDDEN", "guests may not join this room"))
}

/// Whether the room lets guests join.
pub(super) async fn may_join(turn: &Turn) -> Result<bool, ServiceError> {
    let event = turn.state_event("m.room.guest_access", "").await?;
    let content = event.and_then(|event| event.content_as::<CanonicalJsonObject>().ok());
    Ok(content.as_ref().is_some_and(lets_in))
}

/// Whether the content of an m.room.guest_access event lets guests join.
pub(super) fn lets_in(content: &CanonicalJsonObject) -> bool {
    content.get("guest_access").and_then(CanonicalJsonValue::as_str) == Some("can_join")
}

/// Notes in a turn that shuts guests out that those who are in the room leave.
pub(super) fn shut_out(turn: &mut Turn, user_id: &UserId) {
    let command = LeaveGuests { user_id: user_id.to_string() }.encode_to_vec().into();
    turn.push(Kind::Intent(Intent { name: intents::GUESTS.to_owned(), command, done: false }));
}

/// Lets the guests of ours leave, page by page of the members of our tenants, unless the room lets them in again meanwhile.
pub(super) async fn leave(shard: &Arc<Shard>, room_id: &RoomId, caller: &Caller) -> Result<(), ServiceError> {
    let state = Turn::begin(shard, room_id).await?.state().clone();
    for tenant in shard.shared.tenants.iter() {
        let mut after = None;
        loop {
            let states = shard.placer.states();
            let page = states.members_page(room_id, &state, tenant.name(), after.as_ref(), AT_ONCE).await.map_err(errors::state)?;
            let guests = guests_among(shard, &page).await?;
            if !guests.is_empty() && !leave_in_one_turn(shard, room_id, caller, &guests).await? {
                return Ok(());
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Those of a page whose accounts are guests' ones.
async fn guests_among(shard: &Shard, page: &StatePage) -> Result<Vec<OwnedUserId>, ServiceError> {
    let users = &shard.shared.users;
    let members: Vec<OwnedUserId> = page.entries.iter().filter_map(|(key, _)| key.as_member().map(ToOwned::to_owned)).collect();
    let accounts = stream::iter(members.into_iter().map(|user_id| async move {
        let account = users.account(user_id.as_str()).await?;
        Ok::<_, ServiceError>(account.is_some_and(|account| account.kind() == account::Kind::Guest).then_some(user_id))
    }));
    let guests: Vec<Option<OwnedUserId>> = accounts.buffered(READS).try_collect().await?;
    Ok(guests.into_iter().flatten().collect())
}

/// False: the room lets guests in again.
async fn leave_in_one_turn(
    shard: &Arc<Shard>,
    room_id: &RoomId,
    caller: &Caller,
    guests: &[OwnedUserId],
) -> Result<bool, ServiceError> {
    let mut turn = Turn::begin(shard, room_id).await?;
    if may_join(&turn).await? {
        return Ok(false);
    }
    let keys: Vec<StateKey> = guests.iter().map(|guest| StateKey::member(guest)).collect();
    let events = turn.state_events(&keys).await?;
    let joined = events.iter().filter(|event| event.membership() == Some("join"));
    let joined: Vec<OwnedUserId> = joined.filter_map(Pdu::state_key).filter_map(|user| UserId::parse(user).ok()).collect();
    for guest in &joined {
        let content = CanonicalJsonObject::from([("membership".to_owned(), CanonicalJsonValue::String("leave".to_owned()))]);
        let draft = EventDraft::state(guest.clone(), StateKey::member(guest), content, turn.timestamp());
        turn.send(draft, None, &[]).await?;
        forced_forget::forget(&mut turn, guest);
    }
    turn.commit(caller, Vec::new(), room_id.as_str()).await?;
    Ok(true)
}
