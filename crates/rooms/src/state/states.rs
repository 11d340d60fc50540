//! Reading and changing states.

use std::sync::Arc;

use banyan_core::TimestampMicros;
use bytes::Bytes;
use ruma::{OwnedEventId, OwnedUserId, RoomId, ServerName, events::StateEventType};

use super::{
    NodeHash, NodeSource, StateDifference, StateError, StatePage,
    diff::{self, Differences},
    key::{Part, StateKey, server_prefix},
    read,
    root::{State, StateDelta},
    scan::{self, Span},
    update, walk,
};

/// How many entries are read at once by methods that read everything.
const PAGE: usize = 1_000;

/// How many keys a state has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    /// `m.room.member` events of users, whatever the membership.
    pub members: u64,
    /// All other keys.
    pub others: u64,
}

/// A changed state and the nodes that were made for it. They are written already; an entry carries them too where they are few, so
/// that a store that lost its last writes gets them back.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The state.
    pub state: State,
    /// New nodes, encoded, by hash. Mostly none.
    pub nodes: Vec<(NodeHash, Bytes)>,
}

/// Reads and changes states. Every method takes the room, since nodes are stored by room.
#[derive(Clone)]
pub struct States {
    nodes: Arc<dyn NodeSource>,
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}

impl States {
    /// States over these nodes.
    #[must_use]
    pub fn new(nodes: Arc<dyn NodeSource>) -> Self {
        Self { nodes }
    }

    /// The event under `key`.
    ///
    /// # Errors
    ///
    /// If nodes cannot be read; so for all methods.
    pub async fn get(&self, room: &RoomId, state: &State, key: &StateKey) -> Result<Option<OwnedEventId>, StateError> {
        Ok(self.get_many(room, state, std::slice::from_ref(key)).await?.pop().flatten())
    }

    /// The events under `keys`, in their order.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn get_many(&self, room: &RoomId, state: &State, keys: &[StateKey]) -> Result<Vec<Option<OwnedEventId>>, StateError> {
        let mut found: Vec<Option<Option<OwnedEventId>>> =
            keys.iter().map(|key| state.delta(key).map(|event| event.cloned())).collect();
        let in_trie: Vec<&StateKey> = keys.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(key, _)| key).collect();
        let mut read = self.lookup(room, state.root, &in_trie).await?.into_iter();
        for slot in found.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(read.next().flatten());
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }

    async fn lookup(
        &self,
        room: &RoomId,
        root: Option<NodeHash>,
        keys: &[&StateKey],
    ) -> Result<Vec<Option<OwnedEventId>>, StateError> {
        if root.is_none() || keys.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        walk::run(&*self.nodes, room, |loaded| read::lookup(loaded, root, keys)).await
    }

    /// A page of everything: members by server, then all other keys. Pass [`StatePage::next`] as `after` to go on.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn page(
        &self,
        room: &RoomId,
        state: &State,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let past_members = after.is_some_and(|key| key.place().0 == Part::Others);
        let mut page = StatePage::default();
        if !past_members {
            page = self.span(room, state, Span::whole(Part::Members), after, limit).await?;
        }
        if page.next.is_none() && page.entries.len() < limit {
            let after = if past_members { after } else { None };
            let mut others = self.span(room, state, Span::whole(Part::Others), after, limit - page.entries.len()).await?;
            page.entries.append(&mut others.entries);
            page.next = others.next;
        } else if page.next.is_none() {
            // The members ended with the page: the rest begins after the last of them.
            page.next = page.entries.last().map(|(key, _)| key.clone());
        }
        Ok(page)
    }

    async fn span(
        &self,
        room: &RoomId,
        state: &State,
        span: Span,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        walk::run(&*self.nodes, room, |loaded| scan::scan(loaded, state, span, after, limit)).await
    }

    async fn spans(&self, room: &RoomId, state: &State, span: Span) -> Result<Vec<(StateKey, OwnedEventId)>, StateError> {
        let mut entries = Vec::new();
        let mut after: Option<StateKey> = None;
        loop {
            let mut page = self.span(room, state, span, after.as_ref(), PAGE).await?;
            entries.append(&mut page.entries);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(entries),
            }
        }
    }

    /// The whole state: for large rooms prefer [`Self::page`].
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn all(&self, room: &RoomId, state: &State) -> Result<Vec<(StateKey, OwnedEventId)>, StateError> {
        let mut entries = self.spans(room, state, Span::whole(Part::Members)).await?;
        entries.append(&mut self.spans(room, state, Span::whole(Part::Others)).await?);
        Ok(entries)
    }

    /// Everything but the users' memberships.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn others(&self, room: &RoomId, state: &State) -> Result<Vec<(StateKey, OwnedEventId)>, StateError> {
        self.spans(room, state, Span::whole(Part::Others)).await
    }

    /// The membership events of all users, whatever the membership.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn members(&self, room: &RoomId, state: &State) -> Result<Vec<(OwnedUserId, OwnedEventId)>, StateError> {
        Ok(users(self.spans(room, state, Span::whole(Part::Members)).await?))
    }

    /// The membership events of the users of one server: reads only their part of the trie.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn members_of(
        &self,
        room: &RoomId,
        state: &State,
        server: &ServerName,
    ) -> Result<Vec<(OwnedUserId, OwnedEventId)>, StateError> {
        let span = Span::prefix(Part::Members, server_prefix(server.as_str()));
        let mut members = users(self.spans(room, state, span).await?);
        // Other servers may be made to have the same prefix.
        members.retain(|(user, _)| user.server_name() == server);
        Ok(members)
    }

    /// A page of them, whatever the membership. Pass [`StatePage::next`] as `after` to go on.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn members_page(
        &self,
        room: &RoomId,
        state: &State,
        server: &ServerName,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let span = Span::prefix(Part::Members, server_prefix(server.as_str()));
        let mut page = self.span(room, state, span, after, limit).await?;
        page.entries.retain(|(key, _)| key.as_member().is_some_and(|user| user.server_name() == server));
        Ok(page)
    }

    /// All keys of one type. Reads the whole trie that the type lies in.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn of_type(
        &self,
        room: &RoomId,
        state: &State,
        event_type: &StateEventType,
    ) -> Result<Vec<(StateKey, OwnedEventId)>, StateError> {
        let mut entries = self.others(room, state).await?;
        entries.retain(|(key, _)| key.event_type == *event_type);
        if *event_type == StateEventType::RoomMember {
            entries.append(&mut self.spans(room, state, Span::whole(Part::Members)).await?);
        }
        Ok(entries)
    }

    /// How many keys there are, but for the few changes beside the trie: reads one node.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn rough_size(&self, room: &RoomId, state: &State) -> Result<StateSize, StateError> {
        let root = walk::run(&*self.nodes, room, |loaded| loaded.root(state.root)).await?.unwrap_or_default();
        let count = |part| root.part(part).map_or(0, |top| top.count);
        Ok(StateSize { members: count(Part::Members), others: count(Part::Others) })
    }

    /// How many keys there are.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn size(&self, room: &RoomId, state: &State) -> Result<StateSize, StateError> {
        let mut size = self.rough_size(room, state).await?;
        let keys: Vec<&StateKey> = state.deltas().iter().map(|delta| &delta.key).collect();
        let before = self.lookup(room, state.root, &keys).await?;
        for (delta, before) in state.deltas().iter().zip(before) {
            let count = match delta.key.place().0 {
                Part::Members => &mut size.members,
                Part::Others => &mut size.others,
            };
            match (before.is_some(), delta.event_id.is_some()) {
                (false, true) => *count += 1,
                (true, false) => *count -= 1,
                _ => {}
            }
        }
        Ok(size)
    }

    /// What differs from `old` to `new`, by key. Reads only the nodes that differ.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn diff(&self, room: &RoomId, old: &State, new: &State) -> Result<Vec<StateDifference>, StateError> {
        if old == new {
            return Ok(Vec::new());
        }
        let mut tries: Differences = walk::run(&*self.nodes, room, |loaded| diff::tries(loaded, old.root, new.root)).await?;
        let mut keys: Vec<StateKey> = old.deltas().iter().chain(new.deltas()).map(|delta| delta.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let before = self.get_many(room, old, &keys).await?;
        let after = self.get_many(room, new, &keys).await?;
        for (key, pair) in keys.into_iter().zip(before.into_iter().zip(after)) {
            tries.insert(key, pair);
        }
        let difference = |(key, (old, new))| StateDifference { key, old, new };
        Ok(tries.into_iter().filter(|(_, (old, new))| old != new).map(difference).collect())
    }

    /// The state after `changes`, the last one of a key counting. They stay beside the root until they are too many; then the trie
    /// is written anew along their paths, before this returns.
    ///
    /// # Errors
    ///
    /// As [`Self::get`], and if nodes cannot be written.
    pub async fn apply(
        &self,
        room: &RoomId,
        state: &State,
        changes: Vec<StateDelta>,
        at: TimestampMicros,
    ) -> Result<Written, StateError> {
        if changes.is_empty() {
            return Ok(Written { state: state.clone(), nodes: Vec::new() });
        }
        let state = state.with(changes);
        if state.is_due() { self.fold(room, &state, at).await } else { Ok(Written { state, nodes: Vec::new() }) }
    }

    /// The state as an event that changes nothing repeats it. What was repeated often enough moves into the trie.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub async fn repeat(&self, room: &RoomId, state: &State, at: TimestampMicros) -> Result<Written, StateError> {
        let state = state.repeated();
        if state.is_due() { self.fold(room, &state, at).await } else { Ok(Written { state, nodes: Vec::new() }) }
    }

    /// The same state with all changes in its trie: now equal states have equal roots.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub async fn fold(&self, room: &RoomId, state: &State, at: TimestampMicros) -> Result<Written, StateError> {
        if state.deltas().is_empty() {
            return Ok(Written { state: state.clone(), nodes: Vec::new() });
        }
        let (root, nodes) = walk::run(&*self.nodes, room, |loaded| update::update(loaded, state.root, state.deltas())).await?;
        if !nodes.is_empty() {
            self.nodes.put_nodes(room, &nodes, at).await?;
        }
        Ok(Written { state: State { root, ..State::default() }, nodes })
    }
}

fn users(entries: Vec<(StateKey, OwnedEventId)>) -> Vec<(OwnedUserId, OwnedEventId)> {
    entries.into_iter().filter_map(|(key, event)| Some((key.as_member()?.to_owned(), event))).collect()
}
