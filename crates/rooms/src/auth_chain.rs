//! Auth chains: what authorises an event, what authorises that, and so on (room versions, "Auth chain"). Events are read level by
//! level, one read for all events of a level.

use std::collections::{HashMap, HashSet};

use ruma::{EventId, OwnedEventId, RoomId};

use crate::{
    event_source::{EventSource, EventSourceError, KnownEvent},
    pdu::Pdu,
    version::RoomVersion,
};

/// Events of a room that were read, and the walks over them.
pub struct AuthGraph<'a> {
    source: &'a dyn EventSource,
    room: &'a RoomId,
    version: &'static RoomVersion,
    events: HashMap<OwnedEventId, KnownEvent>,
    /// Asked for and not there.
    unknown: HashSet<OwnedEventId>,
}

impl std::fmt::Debug for AuthGraph<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthGraph").field("room", &self.room).field("events", &self.events.len()).finish_non_exhaustive()
    }
}

impl<'a> AuthGraph<'a> {
    /// A graph of which nothing is read yet.
    #[must_use]
    pub fn new(source: &'a dyn EventSource, room: &'a RoomId, version: &'static RoomVersion) -> Self {
        Self { source, room, version, events: HashMap::new(), unknown: HashSet::new() }
    }

    /// The room's version.
    #[must_use]
    pub const fn version(&self) -> &'static RoomVersion {
        self.version
    }

    /// Puts an event in that is not in the source.
    pub fn insert(&mut self, event: KnownEvent) {
        self.events.insert(event.pdu.event_id().to_owned(), event);
    }

    /// Reads these events, where they are not read yet.
    ///
    /// # Errors
    ///
    /// If events cannot be read. Missing ones are no error.
    pub async fn load(&mut self, ids: impl IntoIterator<Item = OwnedEventId>) -> Result<(), EventSourceError> {
        let wanted: HashSet<OwnedEventId> =
            ids.into_iter().filter(|id| !self.events.contains_key(id) && !self.unknown.contains(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let asked: Vec<OwnedEventId> = wanted.iter().cloned().collect();
        for event in self.source.events(self.room, self.version, &asked).await? {
            self.events.insert(event.pdu.event_id().to_owned(), event);
        }
        self.unknown.extend(wanted.into_iter().filter(|id| !self.events.contains_key(id)));
        Ok(())
    }

    /// Reads these events and their auth chains.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub async fn load_chains(&mut self, ids: impl IntoIterator<Item = OwnedEventId>) -> Result<(), EventSourceError> {
        let mut level: Vec<OwnedEventId> = ids.into_iter().collect();
        let mut walked: HashSet<OwnedEventId> = level.iter().cloned().collect();
        while !level.is_empty() {
            self.load(level.iter().cloned()).await?;
            let next = level.iter().filter_map(|id| self.events.get(id)).flat_map(|event| event.pdu.auth_events());
            let next: HashSet<OwnedEventId> = next.filter(|id| !walked.contains(*id)).cloned().collect();
            walked.extend(next.iter().cloned());
            level = next.into_iter().collect();
        }
        Ok(())
    }

    /// An event that was read.
    #[must_use]
    pub fn get(&self, id: &EventId) -> Option<&Pdu> {
        self.events.get(id).map(|event| &event.pdu)
    }

    /// The same with how it is kept.
    #[must_use]
    pub fn known(&self, id: &EventId) -> Option<&KnownEvent> {
        self.events.get(id)
    }

    /// The union of the auth chains of these events, as far as it was read ([`Self::load_chains`]). The events themselves are in it
    /// only where another's chain leads to them.
    pub fn chain<'b>(&self, ids: impl IntoIterator<Item = &'b EventId>) -> HashSet<OwnedEventId> {
        let mut chain = HashSet::new();
        let mut next: Vec<&EventId> = Vec::new();
        for id in ids {
            if let Some(event) = self.get(id) {
                next.extend(event.auth_events().iter().map(|id| &**id));
            }
            while let Some(id) = next.pop() {
                if chain.insert(id.to_owned())
                    && let Some(event) = self.get(id)
                {
                    next.extend(event.auth_events().iter().map(|id| &**id));
                }
            }
        }
        chain
    }

    /// The events on any path along auth events from one of `ends` to another, ends included (room version 12, "Conflicted state
    /// subgraph").
    #[must_use]
    pub fn between(&self, ends: &HashSet<OwnedEventId>) -> HashSet<OwnedEventId> {
        // Whatever an end's chain holds is below an end; of that, what leads to an end again is between them.
        let below = self.chain(ends.iter().map(|id| &**id));
        let mut leads: HashSet<&EventId> = ends.iter().map(|id| &**id).collect();
        let mut parents: HashMap<&EventId, Vec<&EventId>> = HashMap::new();
        for id in below.iter().chain(ends) {
            for auth in self.get(id).into_iter().flat_map(|event| event.auth_events()) {
                parents.entry(auth).or_default().push(id);
            }
        }
        let mut next: Vec<&EventId> = leads.iter().copied().collect();
        while let Some(id) = next.pop() {
            for parent in parents.get(id).into_iter().flatten() {
                if leads.insert(parent) {
                    next.push(parent);
                }
            }
        }
        leads.into_iter().filter(|id| below.contains(*id) || ends.contains(*id)).map(ToOwned::to_owned).collect()
    }

    /// All events that were read.
    pub fn into_events(self) -> HashMap<OwnedEventId, Pdu> {
        self.events.into_iter().map(|(id, event)| (id, event.pdu)).collect()
    }
}
