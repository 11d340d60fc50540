//! The end of a turn.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_log::{Entry, Proposal};
use banyan_proto::rooms::{AliasChanged, RoomEntry, room_entry::Kind};
use banyan_rooms::event_source::KnownEvent;
use futures::FutureExt;
use prost::Message;
use ruma::{OwnedEventId, RoomId};

use super::{Caller, CommandKey, Shard, Turn, room::RoomCell, typing};

/// The most entries and bytes of one command: what a log takes as one group.
const MAX_ENTRIES: usize = 250;
const MAX_GROUP_BYTES: usize = 900 * 1024;
/// The largest entry.
const MAX_ENTRY_BYTES: usize = 96 * 1024;

impl Turn {
    /// Proposes what the turn did as one group, ends the turn, and waits until the group is committed and applied. `answer` is what
    /// the command and its retries (those with the same `keys`) are told.
    pub(crate) async fn commit(
        self,
        caller: &Caller,
        keys: Vec<CommandKey>,
        answer: impl Into<Arc<str>>,
    ) -> Result<Arc<str>, ServiceError> {
        commit_all(vec![self], caller, keys, answer).await
    }

    /// Ends a turn whose entries were proposed: the room is from now on what it was within the turn. Answers the room's cell and the
    /// events that are on their way into the store.
    fn end(mut self) -> (Arc<RoomCell>, Vec<KnownEvent>) {
        self.committed = true;
        self.memory.head = self.head.take();
        self.memory.state = std::mem::take(&mut self.state);
        (self.cell.clone(), std::mem::take(&mut self.events))
    }
}

/// Commits the turns of several rooms of one shard as one group: all of it happens, or nothing. Their order is that of the entries.
pub(crate) async fn commit_all(
    mut turns: Vec<Turn>,
    caller: &Caller,
    mut keys: Vec<CommandKey>,
    answer: impl Into<Arc<str>>,
) -> Result<Arc<str>, ServiceError> {
    let answer = answer.into();
    let Some(first) = turns.first() else { return Ok(answer) };
    let (shard, room_id) = (first.shard.clone(), first.room_id().to_owned());
    for turn in &mut turns {
        turn.update_listings().await?;
    }
    let entries: Vec<RoomEntry> = turns.iter_mut().flat_map(|turn| std::mem::take(&mut turn.entries)).collect();
    if entries.is_empty() {
        return shard.confirm(answer).await;
    }
    keys.extend(caller.request_id.map(CommandKey::Request));
    let leaving = typing::leaving(&entries);
    let group = proposals(entries, &room_id, caller)?;
    let pending = shard.log.propose(group)?;
    let outcome = async move { pending.await.map(|_| answer).map_err(ServiceError::from) }.boxed().shared();
    let event_ids: Vec<OwnedEventId> = turns.iter().flat_map(Turn::event_ids).collect();
    shard.remember(&keys, &outcome);
    shard.set_moving(&event_ids, &outcome);
    // The cells stay in memory until the rows are written: whoever loads a room before would load the past.
    let (_cells, events): (Vec<_>, Vec<_>) = turns.into_iter().map(Turn::end).unzip();
    let result = outcome.clone().await;
    if result.is_err() {
        shard.forget(&keys);
        shard.fail();
        return result;
    }
    shard.stop_typing(&leaving).await;
    for event in events.into_iter().flatten() {
        let event_id = event.pdu.event_id().to_owned();
        shard.events.insert(event);
        shard.arriving.remove(&event_id);
    }
    shard.end_moving(&event_ids, &outcome);
    result
}

fn proposals(entries: Vec<RoomEntry>, room_id: &RoomId, caller: &Caller) -> Result<Vec<Proposal>, ServiceError> {
    if entries.len() > MAX_ENTRIES {
        return Err(ServiceError::too_large("the request makes too many events at once"));
    }
    let lane = lane(room_id.as_str());
    let mut bytes = 0;
    let mut group = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if entry.encoded_len() > MAX_ENTRY_BYTES {
            // They are written already; the entry carries them for a store that forgets.
            entry.state_nodes.clear();
        }
        let body = entry.encode_to_vec();
        bytes += body.len();
        group.push(Proposal {
            request_id: caller.request_id,
            tenant: caller.tenant.clone(),
            lane,
            body: body.into(),
            ..Proposal::default()
        });
    }
    if bytes > MAX_GROUP_BYTES {
        return Err(ServiceError::too_large("the events of the request are too large together"));
    }
    Ok(group)
}

/// What keeps its order in the log: all that is about one name.
pub(crate) fn lane(name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// What a command was answered, from the entries it caused: the first event it placed, else the room.
pub(crate) fn answer_of(entries: &[Entry]) -> Result<Arc<str>, ServiceError> {
    let mut room_id = None;
    for entry in entries {
        let entry = RoomEntry::decode(entry.body.clone()).map_err(|error| ServiceError::internal(error.to_string()))?;
        if let Some(Kind::Placed(placed)) = entry.kind {
            return Ok(placed.event_id.into());
        }
        room_id.get_or_insert(entry.room_id);
    }
    Ok(room_id.unwrap_or_default().into())
}

impl Shard {
    /// Proposes a change of an alias and waits until it is committed and applied. The caller holds [`Shard::names`].
    pub(crate) async fn change_alias(&self, caller: &Caller, change: AliasChanged) -> Result<(), ServiceError> {
        let lane = lane(&change.alias);
        let body = RoomEntry { kind: Some(Kind::Alias(change)), ..RoomEntry::default() }.encode_to_vec();
        let (request_id, tenant) = (caller.request_id, caller.tenant.clone());
        let proposal = Proposal { request_id, tenant, lane, body: body.into(), ..Proposal::default() };
        let committed = self.log.propose(vec![proposal])?.await;
        if committed.is_err() {
            self.fail();
        }
        committed.map(|_| ()).map_err(ServiceError::from)
    }
}
