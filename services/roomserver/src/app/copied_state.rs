//! What may be much of a room that is upgraded: its bans, and the children of a space. As much as one group of entries takes is copied
//! with the upgrade, the rest by an intent right after it.

use std::{collections::HashSet, sync::Arc};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::rooms::{CopyRest, Intent, room_entry::Kind};
use banyan_rooms::{
    event_builder::EventDraft,
    pdu::Pdu,
    state::{State, StateKey},
    version::RoomVersion,
};
use prost::Message;
use ruma::{CanonicalJsonObject, OwnedEventId, RoomId, UserId, events::StateEventType};

use super::intents;
use crate::{
    actor::{Caller, Shard, Turn},
    errors,
};

/// Keys that are read in one go.
const PAGE: usize = 500;
/// Events that are copied in one turn.
const AT_ONCE: usize = 200;
/// Bytes of them.
const BYTES_AT_ONCE: usize = 400 * 1024;

/// Events to copy.
pub(super) type Copied = Vec<Pdu>;

/// Reads from a state the bans and, of a space, the children it has.
pub(super) async fn read(
    shard: &Shard,
    room_id: &RoomId,
    version: &'static RoomVersion,
    state: &State,
) -> Result<Copied, ServiceError> {
    let mut copied = Vec::new();
    let mut after = None;
    loop {
        let page = shard.placer.states().page(room_id, state, after.as_ref(), PAGE).await.map_err(errors::state)?;
        let may_be = |key: &StateKey| key.as_member().is_some() || key.event_type == StateEventType::SpaceChild;
        let ids: Vec<OwnedEventId> = page.entries.into_iter().filter(|(key, _)| may_be(key)).map(|(_, id)| id).collect();
        let events = shard.placer.events().events(room_id, version, &ids).await.map_err(errors::events)?;
        copied.extend(events.into_iter().map(|event| event.pdu).filter(is_copied));
        after = page.next;
        if after.is_none() {
            return Ok(copied);
        }
    }
}

/// Bans, and children that were not taken out of their space again.
fn is_copied(event: &Pdu) -> bool {
    if event.key().is_some_and(|key| key.event_type == StateEventType::SpaceChild) {
        return event.content_as::<CanonicalJsonObject>().is_ok_and(|content| !content.is_empty());
    }
    event.membership() == Some("ban")
}

/// Sends as much of `copied` as a turn takes; if that is not all, an intent says so.
pub(super) async fn copy(turn: &mut Turn, sender: &UserId, mut copied: Copied, from: &RoomId) -> Result<(), ServiceError> {
    let rest = copied.split_off(fitting(&copied));
    for event in &copied {
        send(turn, sender, event).await?;
    }
    if !rest.is_empty() {
        let command = CopyRest { from_room_id: from.to_string(), user_id: sender.to_string() }.encode_to_vec().into();
        turn.push(Kind::Intent(Intent { name: intents::COPY.to_owned(), command, done: false }));
    }
    Ok(())
}

/// How many events fit into one turn.
fn fitting(events: &[Pdu]) -> usize {
    let mut bytes = 0;
    let fits = move |event: &&Pdu| {
        bytes += event.json().len();
        bytes <= BYTES_AT_ONCE
    };
    events.iter().take(AT_ONCE).take_while(fits).count()
}

/// Sends the same state; what the room does not allow is left out.
async fn send(turn: &mut Turn, sender: &UserId, event: &Pdu) -> Result<(), ServiceError> {
    let Some(key) = event.key() else { return Ok(()) };
    let content = event.content_as().map_err(|error| ServiceError::internal(error.to_string()))?;
    let draft = EventDraft::state(sender.to_owned(), key, content, turn.timestamp());
    match turn.send(draft, None, &[]).await {
        Err(error) if error.code != ErrorCode::Forbidden => Err(error),
        _ => Ok(()),
    }
}

/// Copies what the upgrade had no place for.
pub(super) async fn copy_rest(
    shard: &Arc<Shard>,
    room_id: &RoomId,
    caller: &Caller,
    command: &CopyRest,
) -> Result<(), ServiceError> {
    let from = RoomId::parse(command.from_room_id.as_str()).map_err(|error| ServiceError::internal(error.to_string()))?;
    let turn = Turn::begin(shard, &from).await?;
    let (state, version) = (turn.state().clone(), turn.version()?);
    drop(turn);
    let mut rest = read(shard, &from, version, &state).await?;
    let turn = Turn::begin(shard, room_id).await?;
    let (state, version) = (turn.state().clone(), turn.version()?);
    drop(turn);
    let there: HashSet<StateKey> = read(shard, room_id, version, &state).await?.iter().filter_map(Pdu::key).collect();
    rest.retain(|event| event.key().is_some_and(|key| !there.contains(&key)));
    while !rest.is_empty() {
        let later = rest.split_off(fitting(&rest).max(1));
        let mut turn = Turn::begin(shard, room_id).await?;
        for event in &rest {
            // Who has come in meanwhile, or was unbanned, is not for an old ban to throw out.
            let is_new = match event.key() {
                Some(key) => turn.state_event(key.event_type, &key.state_key).await?.is_none(),
                None => false,
            };
            if is_new {
                send(&mut turn, &caller.user_id, event).await?;
            }
        }
        turn.commit(caller, Vec::new(), room_id.as_str()).await?;
        rest = later;
    }
    Ok(())
}
