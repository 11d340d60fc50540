//! Whose devices the client must look at again (client-server specification, "Tracking the device list for a user").
//!
//! Told are those whose devices changed while they shared a room with the reader, and those who share one now and did not before: of every
//! room, for a client may learn only later that one is encrypted. Of rooms with very many members that are not encrypted only changes are
//! told, not who else is in them.

use std::{collections::BTreeSet, sync::Arc};

use banyan_core::LogSeq;
use banyan_rooms::reader::{At, MembersQuery};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{DeviceId, OwnedUserId, RoomId, events::room::member::MembershipState};
use serde::Deserialize;

use super::{Context, context::room_id, ongoing, room::is_newly_joined, to_device::Recipient};
use crate::{
    error::SyncError,
    render::{DeviceKeys, DeviceLists},
    source::Source,
    tails::{
        Plan, RoomPlan,
        change::{Membership, RoomChange, RoomEvent, UserChange, UserChangeKind},
    },
};

/// Members of a room that is not encrypted, whom a reader that comes or goes is told of.
const MAX_MEMBERS: u64 = 1_000;
/// Users at a time of whom it is looked up whether they share a room with the reader still.
const PARALLEL: usize = 16;

/// Users by what may have to be told of them.
#[derive(Default)]
struct Found {
    changed: BTreeSet<String>,
    /// They left a room of the reader, or the reader one of theirs.
    parted: BTreeSet<String>,
}

/// What to tell since a token. `is_joined` says which rooms the reader is in now.
pub(crate) async fn since(
    context: &Context,
    plan: &Plan,
    is_joined: impl Fn(&str) -> bool + Send + Sync,
) -> Result<DeviceLists, SyncError> {
    let mut found = Found::default();
    // Where the tail does not reach back nobody knows: to look again is harmless.
    let own =
        plan.user.as_ref().is_none_or(|changes| changes.iter().any(|change| matches!(change.kind, UserChangeKind::DeviceList)));
    if own {
        found.changed.insert(context.user.to_string());
    }
    for room in &plan.rooms {
        of_room(context, room, &mut found).await?;
    }
    found.parted.remove(context.user.as_str());
    let lookups: Vec<_> = found.parted.into_iter().map(|user| parted(context, user, &is_joined)).collect();
    let left: BTreeSet<String> =
        stream::iter(lookups).buffer_unordered(PARALLEL).try_filter_map(async |left| Ok(left)).try_collect().await?;
    let changed = found.changed.into_iter().filter(|user| !left.contains(user)).collect();
    Ok(DeviceLists { changed, left })
}

/// What keys of the device nobody has claimed.
pub(crate) async fn keys(source: &Source, of: Recipient<'_>) -> Result<DeviceKeys, SyncError> {
    if of.device.as_str().is_empty() {
        return Ok(DeviceKeys::default());
    }
    let counts = source.key_counts(of.user, of.device).await?;
    Ok(DeviceKeys { one_time: counts.one_time.into_iter().collect(), fallback: counts.unused_fallback })
}

/// Whether keys of the device were claimed, or there are others, as far as the tail reaches.
pub(crate) fn keys_changed(device: &DeviceId, plan: &Plan) -> bool {
    let keys = |change: &Arc<UserChange>| matches!(&change.kind, UserChangeKind::Keys(changed) if device == changed.as_str());
    plan.user.iter().flatten().any(keys)
}

/// The user, if they share no room with the reader any more.
async fn parted(context: &Context, user: String, is_joined: &(impl Fn(&str) -> bool + Sync)) -> Result<Option<String>, SyncError> {
    let Ok(user_id) = OwnedUserId::try_from(user.as_str()) else { return Ok(None) };
    let rooms = context.source.rooms.joined_rooms(&user_id).await?;
    Ok(Some(user).filter(|_| !rooms.iter().any(|room| is_joined(room.as_str()))))
}

async fn of_room(context: &Context, plan: &RoomPlan, found: &mut Found) -> Result<(), SyncError> {
    let Some(since) = plan.since else { return Ok(()) };
    let moved = plan.standing.seq >= since;
    found.parted.extend(parted_from(context, plan, since).await?);
    if plan.standing.membership != Membership::Join {
        of_changes(context, plan, found);
        return Ok(());
    }
    if is_newly_joined(context, plan) || (plan.changes.is_none() && moved) || is_newly_encrypted(plan) {
        found.changed.extend(members(context, plan).await?);
    }
    match &plan.changes {
        Some(_) => of_changes(context, plan, found),
        None => of_rows(context, plan, since, found).await?,
    }
    Ok(())
}

/// Whom the reader left behind in the room since the token, each time they left it, also if they are in it again. Where the tail does not
/// reach back, those whom they shared it with at the token: of others their client knows nothing.
async fn parted_from(context: &Context, plan: &RoomPlan, since: LogSeq) -> Result<BTreeSet<String>, SyncError> {
    let mut parted = BTreeSet::new();
    for change in &plan.own {
        let member = change.membership_of(context.user.as_str()).and_then(|state| state.member.as_ref());
        if member.is_some_and(|member| member.before == Membership::Join && member.now != Membership::Join) {
            parted.extend(members_at(context, plan, change.seq).await?);
        }
    }
    if plan.changes.is_none()
        && plan.standing.seq >= since
        && let Some(token) = since.0.checked_sub(1)
    {
        let members = members_at(context, plan, LogSeq(token)).await?;
        if members.contains(context.user.as_str()) {
            parted.extend(members);
        }
    }
    Ok(parted)
}

/// Of a small room all members were told when the reader or they came.
fn is_newly_encrypted(plan: &RoomPlan) -> bool {
    plan.changes.iter().flatten().any(|change| change.state.iter().any(|state| state.kind == "m.room.encryption"))
}

/// What happened while the reader was in the room: the rest is not theirs to know.
fn of_changes(context: &Context, plan: &RoomPlan, found: &mut Found) {
    let user = context.user.as_str();
    let own = |change: &RoomChange| change.membership_of(user).and_then(|state| state.member.clone());
    let first = plan.own.first().and_then(|change| own(change));
    let mut is_in = first.map_or(plan.standing.membership, |member| member.before) == Membership::Join;
    for change in plan.changes.iter().flatten() {
        if let Some(member) = own(change) {
            is_in = member.now == Membership::Join;
        }
        if !is_in {
            continue;
        }
        found.changed.extend(change.device_list.clone());
        for state in change.state.iter().filter(|state| state.key != user) {
            let Some(member) = &state.member else { continue };
            match (member.before, member.now) {
                (Membership::Join, Membership::Join) => {}
                (_, Membership::Join) => drop(found.changed.insert(state.key.clone())),
                (Membership::Join, _) => drop(found.parted.insert(state.key.clone())),
                _ => {}
            }
        }
    }
}

/// Where the tail does not reach back to the token.
async fn of_rows(context: &Context, plan: &RoomPlan, since: LogSeq, found: &mut Found) -> Result<(), SyncError> {
    let id = room_id(&plan.room)?;
    found.changed.extend(context.source.rooms.device_lists_since(&id, since).await?);
    let Some(head) = ongoing::head(context, plan, &id).await?.filter(|head| head.seq >= since.0) else { return Ok(()) };
    let encryption = context.source.state_of_type(&id, &head, plan.upto, "m.room.encryption").await?;
    if encryption.events().any(|event| event.stored.seq >= since) {
        found.changed.extend(members(context, plan).await?);
    }
    let members = context.source.state_of_type(&id, &head, plan.upto, "m.room.member").await?;
    for event in members.events().filter(|event| event.stored.seq >= since) {
        let Some(user) = event.state_key.clone().filter(|user| user != context.user.as_str()) else { continue };
        // Whoever came and went is among the parted: they share no room, or are known from another.
        if is_join(event) {
            found.changed.insert(user)
        } else {
            found.parted.insert(user)
        };
    }
    Ok(())
}

/// Who is in a room now, but for the reader.
async fn members(context: &Context, plan: &RoomPlan) -> Result<Vec<String>, SyncError> {
    let id = room_id(&plan.room)?;
    let Some(head) = ongoing::head(context, plan, &id).await? else { return Ok(Vec::new()) };
    if head.joined > MAX_MEMBERS && !is_encrypted(context, &id).await? {
        return Ok(Vec::new());
    }
    let members = context.source.state_of_type(&id, &head, plan.upto, "m.room.member").await?;
    let joined = members.events().filter(|event| is_join(event)).filter_map(|event| event.state_key.clone());
    Ok(joined.filter(|user| user != context.user.as_str()).collect())
}

/// Who was in a room just after an entry.
async fn members_at(context: &Context, plan: &RoomPlan, seq: LogSeq) -> Result<BTreeSet<String>, SyncError> {
    let id = room_id(&plan.room)?;
    let Some(head) = ongoing::head(context, plan, &id).await? else { return Ok(BTreeSet::new()) };
    if head.joined > MAX_MEMBERS && !is_encrypted(context, &id).await? {
        return Ok(BTreeSet::new());
    }
    let Some(place) = context.source.rooms.place_at(&id, seq).await? else { return Ok(BTreeSet::new()) };
    let query = MembersQuery { at: At::Place(place), membership: Some(MembershipState::Join), not_membership: None };
    let members = context.source.rooms.members(&id, &query).await?;
    Ok(members.into_iter().map(|event| event.state_key).collect())
}

async fn is_encrypted(context: &Context, id: &RoomId) -> Result<bool, SyncError> {
    Ok(context.source.rooms.state_event(id, "m.room.encryption", "", &At::Now).await?.is_some())
}

fn is_join(event: &RoomEvent) -> bool {
    #[derive(Deserialize)]
    struct Pdu {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(default)]
        membership: String,
    }
    serde_json::from_slice::<Pdu>(&event.stored.pdu).is_ok_and(|pdu| pdu.content.membership == "join")
}
