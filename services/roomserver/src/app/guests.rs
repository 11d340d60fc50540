//! Guests: they join only where the room says so, and leave when it says so no more (client-server specification, "Guest Access").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::account;
use banyan_rooms::{event_builder::EventDraft, pdu::Pdu, state::StateKey};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedUserId, RoomId};
use std::sync::Arc;

use super::forced_forget;
use crate::{
    actor::{Caller, Shard, Turn},
    errors,
};

/// Guests that leave in one turn, whose entries are one group.
const AT_ONCE: usize = 100;
/// Accounts that are read side by side.
const READS: usize = 32;

/// Refuses guests where m.room.guest_access is not `can_join`.
pub(super) async fn check_join(turn: &Turn) -> Result<(), ServiceError> {
    let event = turn.state_event("m.room.guest_access", "").await?;
    let content = event.and_then(|event| event.content_as::<CanonicalJsonObject>().ok());
    if content.as_ref().is_some_and(lets_in) {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::Forbidden, "M_GUEST_ACCESS_FORBIDDEN", "guests may not join this room"))
}

/// Whether the content of an m.room.guest_access event lets guests join.
pub(super) fn lets_in(content: &CanonicalJsonObject) -> bool {
    content.get("guest_access").and_then(CanonicalJsonValue::as_str) == Some("can_join")
}

/// Lets guests of ours leave the room in this turn; answers whether some are left for another.
pub(super) async fn leave(turn: &mut Turn) -> Result<bool, ServiceError> {
    let guests = joined_guests(turn).await?;
    for guest in guests.iter().take(AT_ONCE) {
        let content = CanonicalJsonObject::from([("membership".to_owned(), CanonicalJsonValue::String("leave".to_owned()))]);
        let draft = EventDraft::state(guest.clone(), StateKey::member(guest), content, turn.timestamp());
        turn.send(draft, None, &[]).await?;
        forced_forget::forget(turn, guest);
    }
    Ok(guests.len() > AT_ONCE)
}

/// Lets those leave for whom there was no place in the turn that shut them out. A crash before the end leaves some of them in the room.
pub(super) async fn leave_rest(shard: &Arc<Shard>, room_id: &RoomId, caller: &Caller) -> Result<(), ServiceError> {
    // Commands of their own: the request that began it is answered already if it is repeated.
    let caller = Caller { request_id: None, ..caller.clone() };
    let room_id: OwnedRoomId = room_id.to_owned();
    loop {
        let mut turn = Turn::begin(shard, &room_id).await?;
        let more = leave(&mut turn).await?;
        turn.commit(&caller, Vec::new(), room_id.as_str()).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Guests of ours who are joined. Reads the account of every member that is ours: rooms stop letting guests in seldom.
async fn joined_guests(turn: &Turn) -> Result<Vec<OwnedUserId>, ServiceError> {
    let mut members = Vec::new();
    for tenant in turn.tenants().iter() {
        let of_tenant = turn.states().members_of(turn.room_id(), turn.state(), tenant.name()).await.map_err(errors::state)?;
        members.extend(of_tenant.into_iter().map(|(user_id, _)| user_id));
    }
    let users = turn.users();
    let accounts = stream::iter(members.into_iter().map(|user_id| async move {
        let account = users.account(user_id.as_str()).await?;
        Ok::<_, ServiceError>((user_id, account.is_some_and(|account| account.kind() == account::Kind::Guest)))
    }));
    let accounts: Vec<_> = accounts.buffered(READS).try_collect().await?;
    let keys: Vec<StateKey> =
        accounts.into_iter().filter(|(_, is_guest)| *is_guest).map(|(user_id, _)| StateKey::member(&user_id)).collect();
    let events = turn.state_events(&keys).await?;
    let joined = events.iter().filter(|event| event.membership() == Some("join"));
    Ok(joined.filter_map(Pdu::state_key).filter_map(|user_id| OwnedUserId::try_from(user_id).ok()).collect())
}
