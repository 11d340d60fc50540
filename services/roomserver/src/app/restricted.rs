//! Joins to restricted rooms: whether the user is in one of the rooms that let them in, and who vouches for it.

use banyan_core::ServiceError;
use banyan_rooms::{
    authoriser::{self, JoinRules},
    pdu::Pdu,
    power::{PowerLevels, Powers},
    state::StateKey,
};
use ruma::{OwnedUserId, ServerName, UserId, events::StateEventType};

use crate::{actor::Turn, errors};

/// Members of one tenant that are looked at in one go for one who may vouch, when nobody with a power level of their own can.
const CANDIDATES: usize = 50;
/// How often: members may all have left.
const MAX_PAGES: usize = 40;

/// Who vouches for `user_id`'s join; `None` if nobody need to (the room is not restricted, or they are invited or in already).
pub(crate) async fn authoriser(turn: &Turn, user_id: &UserId, membership: &str) -> Result<Option<OwnedUserId>, ServiceError> {
    if matches!(membership, "join" | "invite") {
        return Ok(None);
    }
    let rules = JoinRules::read(turn.state_event(StateEventType::RoomJoinRules, "").await?.as_ref());
    if !rules.is_restricted() {
        return Ok(None);
    }
    let mut member = false;
    for room_id in &rules.through {
        let row = turn.reader().membership(user_id, room_id).await?;
        member |= row.is_some_and(|row| row.membership == "join");
    }
    if !member {
        return Err(ServiceError::forbidden("you are in none of the rooms whose members may join, and not invited"));
    }
    let powers = turn.powers().await?;
    let candidates = candidates(turn, &powers).await?;
    let vouching = authoriser::choose(candidates.iter().map(|user| &**user), &powers);
    vouching.map(Some).ok_or_else(|| ServiceError::forbidden("nobody here may invite you to the room"))
}

/// Joined users of our tenants: first those with a power of their own, then some others.
async fn candidates(turn: &Turn, powers: &Powers) -> Result<Vec<OwnedUserId>, ServiceError> {
    let mut users: Vec<OwnedUserId> = Vec::new();
    if let Some(levels) = powers.levels() {
        users.extend(levels.users().map(|(user, _)| user.to_owned()));
    }
    if let Some(create) = turn.state_event(StateEventType::RoomCreate, "").await? {
        let info = create.create_info().map_err(|problem| ServiceError::internal(problem.to_owned()))?;
        users.extend(info.creators().iter().cloned());
    }
    users.retain(|user| turn.tenants().is_local(user.server_name().as_str()));
    let mut joined = joined_among(turn, &users).await?;
    if joined.iter().any(|user| powers.may_invite(user)) {
        return Ok(joined);
    }
    // All others have the same power: without it, none of them need be looked at.
    let needed = powers.levels().map_or(0, PowerLevels::to_invite);
    if powers.levels().map_or(0, PowerLevels::users_default) < needed {
        return Ok(joined);
    }
    for tenant in turn.tenants().iter() {
        joined.extend(some_joined(turn, tenant.name()).await?);
    }
    Ok(joined)
}

/// The first members of a server that are joined, in no meaningful order.
async fn some_joined(turn: &Turn, server: &ServerName) -> Result<Vec<OwnedUserId>, ServiceError> {
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = turn.states().members_page(turn.room_id(), turn.state(), server, after.as_ref(), CANDIDATES);
        let page = page.await.map_err(errors::state)?;
        let users: Vec<OwnedUserId> = page.entries.iter().filter_map(|(key, _)| key.as_member().map(ToOwned::to_owned)).collect();
        let joined = joined_among(turn, &users).await?;
        after = page.next;
        if !joined.is_empty() || after.is_none() {
            return Ok(joined);
        }
    }
    Ok(Vec::new())
}

async fn joined_among(turn: &Turn, users: &[OwnedUserId]) -> Result<Vec<OwnedUserId>, ServiceError> {
    let keys: Vec<StateKey> = users.iter().map(|user| StateKey::member(user)).collect();
    let events = turn.state_events(&keys).await?;
    let joined = events.iter().filter(|event| event.membership() == Some("join"));
    Ok(joined.filter_map(Pdu::state_key).filter_map(|user| UserId::parse(user).ok()).collect())
}
