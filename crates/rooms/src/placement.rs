//! Giving an event its place in a room: the state before it, whether it is allowed, the state after it, the ends of the graph and the
//! new current state. It changes nothing but the state trie; what it answers is what the log entry says.
//!
//! An event that follows exactly the room's ends (every local send does) takes the short way: one authorisation against the current
//! state, nothing resolved. Any other event, for example one that arrives late or was built before the head moved (a legal fork), is
//! judged against its auth events, the state before it and the current state (server-server specification, "Checks performed on
//! receipt of a PDU", steps 4 to 6), and the current state is resolved anew.

use std::{collections::HashMap, sync::Arc};

use banyan_core::TimestampMicros;
use banyan_proto::rooms as proto;
use bytes::Bytes;
use ruma::OwnedEventId;

use crate::{
    auth::{AuthError, AuthState},
    event_source::{EventSource, EventSourceError, KnownEvent, Standing},
    pdu::Pdu,
    power::Powers,
    resolution::ResolutionError,
    state::{NodeHash, State, StateError, StateKey, States},
    version::{RoomVersion, UnsupportedRoomVersion},
};

mod changes;
mod fork;
mod head;
mod judge;
mod place;

/// New state nodes up to this size travel in the entry; larger sets are only written ahead.
const MAX_ENTRY_NODES: usize = 24 * 1024;

/// An event could not be placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It breaks a rule: a local send fails with `M_FORBIDDEN`, an event from elsewhere is kept as rejected.
    #[error(transparent)]
    Rejected(#[from] AuthError),
    /// It refers to events that are not here: get them first, then place it again.
    #[error("{} events that it refers to are missing", .0.len())]
    MissingEvents(Vec<OwnedEventId>),
    /// Events before it are here without a state (outliers): get the state, then place it again.
    #[error("the state of {} events before it is not known", .0.len())]
    MissingState(Vec<OwnedEventId>),
    /// The room does not exist here and the event is not its create event, or the room exists and the event is one.
    #[error("{0}")]
    NotThisRoom(&'static str),
    /// The room's head has a version that is not served.
    #[error(transparent)]
    Version(#[from] UnsupportedRoomVersion),
    /// States could not be merged.
    #[error(transparent)]
    Resolution(#[from] ResolutionError),
    /// Events could not be read.
    #[error(transparent)]
    Events(#[from] EventSourceError),
    /// States could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// An event that wants a place.
#[derive(Clone, Debug)]
pub struct PlaceRequest {
    /// The event, its signatures and hash checked.
    pub event: Pdu,
    /// The client transaction it came from.
    pub transaction: Option<proto::Transaction>,
    /// Now: becomes the bump stamp, and the timestamp of written nodes.
    pub now: TimestampMicros,
    /// An event that has a place already refers to it, so it is no end of the graph.
    pub referenced: bool,
    /// What the current state has under the event's [`required_keys`](crate::auth::required_keys), if the caller has looked.
    pub known: Option<AuthState>,
}

impl PlaceRequest {
    /// A new event at `now`.
    #[must_use]
    pub const fn new(event: Pdu, now: TimestampMicros) -> Self {
        Self { event, transaction: None, now, referenced: false, known: None }
    }
}

/// A placed event, for its log entry and for memory.
#[derive(Clone, Debug)]
pub struct Placement {
    /// `RoomEntry.placed`.
    pub placed: proto::Placed,
    /// `RoomEntry.head`, but for `seq`.
    pub head: proto::RoomHead,
    /// `RoomEntry.current`.
    pub current: Vec<proto::CurrentChange>,
    /// `RoomEntry.state_nodes`: nodes the entry's roots need. Written already; carried where they are few, so that a store that lost
    /// its last writes gets them back.
    pub nodes: Vec<(NodeHash, Bytes)>,
    /// How the event was judged.
    pub standing: Standing,
    /// The event as it is kept, for the event source.
    pub event: KnownEvent,
    /// The state before the event: what a redaction's power is judged by.
    pub state_before: State,
}

impl Placement {
    /// [`Self::nodes`] as the entry has them.
    #[must_use]
    pub fn entry_nodes(&self) -> Vec<proto::NewStateNode> {
        let node =
            |(hash, node): &(NodeHash, Bytes)| proto::NewStateNode { hash: Bytes::copy_from_slice(&hash.0), node: node.clone() };
        self.nodes.iter().map(node).collect()
    }
}

/// Places events. Cheap to clone.
#[derive(Clone)]
pub struct Placer {
    states: States,
    events: Arc<dyn EventSource>,
}

impl std::fmt::Debug for Placer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Placer")
    }
}

impl Placer {
    /// A placer over these states and events. `events` must show what was placed a moment ago, applied or not.
    #[must_use]
    pub fn new(states: States, events: Arc<dyn EventSource>) -> Self {
        Self { states, events }
    }

    /// The states.
    #[must_use]
    pub const fn states(&self) -> &States {
        &self.states
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &Arc<dyn EventSource> {
        &self.events
    }

    /// Places `request.event` in the room with this head; `None` for a room's create event. The caller holds the room: no other
    /// event may take a place until it has taken over the new head (or given up).
    ///
    /// # Errors
    ///
    /// If it breaks a rule, or what it needs is missing or cannot be read.
    pub async fn place(&self, head: Option<&proto::RoomHead>, request: PlaceRequest) -> Result<Placement, PlaceError> {
        match head {
            None => self.place_create(request).await,
            Some(head) => self.place_after(head, request).await,
        }
    }

    /// The events under `keys` in a state of `room`; keys that are not set are left out.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or an event of the state is missing.
    pub async fn state_events(
        &self,
        room: &ruma::RoomId,
        version: &'static RoomVersion,
        state: &State,
        keys: &[StateKey],
    ) -> Result<Vec<Pdu>, PlaceError> {
        let ids: Vec<OwnedEventId> = self.states.get_many(room, state, keys).await?.into_iter().flatten().collect();
        Ok(self.known(room, version, &ids).await?.into_iter().map(|event| event.pdu).collect())
    }

    /// The powers in a state of `room`.
    ///
    /// # Errors
    ///
    /// As [`Self::state_events`], and if the create event or the power levels are malformed.
    pub async fn powers(&self, room: &ruma::RoomId, version: &'static RoomVersion, state: &State) -> Result<Powers, PlaceError> {
        use ruma::events::StateEventType;
        let keys = [StateKey::plain(StateEventType::RoomCreate), StateKey::plain(StateEventType::RoomPowerLevels)];
        let mut events = self.state_events(room, version, state, &keys).await?;
        let create = events.iter().position(Pdu::is_create).map(|index| events.swap_remove(index));
        let create = create.ok_or(PlaceError::NotThisRoom("the room has no create event"))?;
        Powers::new(create, events.pop()).map_err(|problem| PlaceError::Rejected(AuthError(problem)))
    }

    /// Events by id; `own`, which is being placed and not yet known, may be among them and then comes last.
    async fn events_with(&self, own: &Pdu, mut ids: Vec<OwnedEventId>) -> Result<Vec<Pdu>, PlaceError> {
        let asked = ids.len();
        ids.retain(|id| *id != *own.event_id());
        let own_too = (ids.len() < asked).then(|| own.clone());
        let known = if ids.is_empty() { Vec::new() } else { self.known(own.room_id(), own.version(), &ids).await? };
        Ok(known.into_iter().map(|known| known.pdu).chain(own_too).collect())
    }

    /// Reads events that must all be known, in the order asked.
    async fn known(
        &self,
        room: &ruma::RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, PlaceError> {
        let found: HashMap<OwnedEventId, KnownEvent> = self
            .events
            .events(room, version, ids)
            .await?
            .into_iter()
            .map(|event| (event.pdu.event_id().to_owned(), event))
            .collect();
        let missing: Vec<OwnedEventId> = ids.iter().filter(|id| !found.contains_key(*id)).cloned().collect();
        if !missing.is_empty() {
            return Err(PlaceError::MissingEvents(missing));
        }
        Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
    }
}

#[cfg(test)]
mod tests;
