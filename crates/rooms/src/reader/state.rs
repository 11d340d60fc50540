//! State: current, or at a place.

use std::collections::{BTreeSet, HashMap};

use banyan_proto::rooms::{CurrentStateRow, StateRoot};
use bytes::Bytes;
use ruma::{EventId, OwnedEventId, RoomId, events::room::member::MembershipState};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{At, RoomReader};
use crate::{
    ReadError,
    state::{State, StateKey},
    tables::current_state,
    visibility,
};

/// A state event's name and id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateId {
    /// Its type.
    pub event_type: String,
    /// Its state key.
    pub state_key: String,
    /// Its id.
    pub event_id: OwnedEventId,
}

impl StateId {
    fn of((key, event_id): (StateKey, OwnedEventId)) -> Self {
        Self { event_type: key.event_type.to_string(), state_key: key.state_key, event_id }
    }
}

/// A state event with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEvent {
    /// Its type.
    pub event_type: String,
    /// Its state key.
    pub state_key: String,
    /// Its id.
    pub event_id: OwnedEventId,
    /// Federation format, JSON, without `unsigned`.
    pub pdu: Bytes,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

impl StateEvent {
    /// Its content, JSON text of an object; empty if the stored event is broken.
    #[must_use]
    pub fn content(&self) -> String {
        serde_json::from_slice::<Content<'_>>(&self.pdu).map_or_else(|_| String::new(), |event| event.content.get().to_owned())
    }

    /// For m.room.member: its membership.
    #[must_use]
    pub fn membership(&self) -> MembershipState {
        visibility::membership(&self.content())
    }
}

impl RoomReader {
    /// One state event.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_event(
        &self,
        room_id: &RoomId,
        event_type: &str,
        state_key: &str,
        at: &At,
    ) -> Result<Option<StateEvent>, ReadError> {
        Ok(self.state_events(room_id, &[(event_type, state_key)], at).await?.pop().flatten())
    }

    /// Several state events by (type, state key), in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_events(
        &self,
        room_id: &RoomId,
        wanted: &[(&str, &str)],
        at: &At,
    ) -> Result<Vec<Option<StateEvent>>, ReadError> {
        match self.root_at(room_id, at).await? {
            Some(root) => self.state_events_of(room_id, wanted, &root).await,
            None if matches!(at, At::Now) => self.current_events(room_id, wanted).await,
            None => Ok(vec![None; wanted.len()]),
        }
    }

    /// A whole state; in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn state(&self, room_id: &RoomId, at: &At) -> Result<Vec<StateEvent>, ReadError> {
        self.state_where(room_id, None, at).await
    }

    /// A state without its members, but for some users; in no order. It costs no more where there are many members.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_with_members(
        &self,
        room_id: &RoomId,
        root: &StateRoot,
        members: &BTreeSet<String>,
    ) -> Result<Vec<StateEvent>, ReadError> {
        let others = self.inner.states.others(room_id, &State::from_proto(root)?).await?;
        let mut events = self.bodies(room_id, others.into_iter().map(StateId::of).collect(), &HashMap::new()).await?;
        let members: Vec<(&str, &str)> = members.iter().map(|user_id| ("m.room.member", user_id.as_str())).collect();
        events.extend(self.state_events_of(room_id, &members, root).await?.into_iter().flatten());
        Ok(events)
    }

    /// All events of one type in a state; in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_of_type(&self, room_id: &RoomId, event_type: &str, at: &At) -> Result<Vec<StateEvent>, ReadError> {
        self.state_where(room_id, Some(event_type), at).await
    }

    /// The names and ids of a whole state, without bodies; in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_ids(&self, room_id: &RoomId, at: &At) -> Result<Vec<StateId>, ReadError> {
        let root = match self.root_at(room_id, at).await? {
            Some(root) => root,
            None if matches!(at, At::Now) => {
                let Some(head) = self.head(room_id).await? else { return Ok(Vec::new()) };
                head.current.unwrap_or_default()
            }
            None => return Ok(Vec::new()),
        };
        self.ids_of(room_id, &root).await
    }

    /// The root of the state after the last event at or before a place; `None` if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn root_of_place(&self, room_id: &RoomId, place: crate::RoomPlace) -> Result<Option<StateRoot>, ReadError> {
        Ok(self.event_at_or_before(room_id, place).await?.map(|event| event.state_after))
    }

    /// The stripped state that an invite or a knock carries: create, join rules, name, topic, avatar, encryption, canonical alias;
    /// each the JSON of a stripped event (client-server specification, "Stripped state").
    ///
    /// # Errors
    /// The store's.
    pub async fn stripped_state(&self, room_id: &RoomId) -> Result<Vec<Bytes>, ReadError> {
        let wanted: Vec<(&str, &str)> = STRIPPED.iter().map(|event_type| (*event_type, "")).collect();
        let events = self.state_events(room_id, &wanted, &At::Now).await?;
        events.iter().flatten().map(|event| Ok(crate::client_event::stripped_event(&event.pdu)?.into())).collect()
    }

    async fn root_at(&self, room_id: &RoomId, at: &At) -> Result<Option<StateRoot>, ReadError> {
        match at {
            At::Now => Ok(None),
            At::Root(root) => Ok(Some(root.clone())),
            At::Place(place) => self.root_of_place(room_id, *place).await,
        }
    }

    async fn current_events(&self, room_id: &RoomId, wanted: &[(&str, &str)]) -> Result<Vec<Option<StateEvent>>, ReadError> {
        let Some(head) = self.head(room_id).await? else { return Ok(vec![None; wanted.len()]) };
        let rows = current_state::multi_get(&*self.inner.store, room_id, head.current_buckets, wanted).await?;
        let mut events = Vec::with_capacity(rows.len());
        for ((event_type, state_key), row) in wanted.iter().zip(rows) {
            events.push(match row {
                Some(row) => self.with_body(room_id, (event_type, state_key), row).await?,
                None => None,
            });
        }
        Ok(events)
    }

    /// The event of a row; reads the body where the row has none.
    pub(super) async fn with_body(
        &self,
        room_id: &RoomId,
        (event_type, state_key): (&str, &str),
        row: CurrentStateRow,
    ) -> Result<Option<StateEvent>, ReadError> {
        let event_id = EventId::parse(row.event_id).map_err(|error| ReadError::corrupt("current_state", error))?;
        let pdu = if row.pdu.is_empty() {
            let Some(event) = self.event(room_id, &event_id).await? else { return Ok(None) };
            event.pdu
        } else {
            row.pdu
        };
        Ok(Some(StateEvent { event_type: event_type.to_owned(), state_key: state_key.to_owned(), event_id, pdu }))
    }

    async fn state_events_of(
        &self,
        room_id: &RoomId,
        wanted: &[(&str, &str)],
        root: &StateRoot,
    ) -> Result<Vec<Option<StateEvent>>, ReadError> {
        let state = State::from_proto(root)?;
        let keys: Vec<StateKey> = wanted.iter().map(|(event_type, state_key)| StateKey::new(*event_type, *state_key)).collect();
        let ids = self.inner.states.get_many(room_id, &state, &keys).await?;
        let present: Vec<&EventId> = ids.iter().flatten().map(|id| &**id).collect();
        let mut bodies = self.events(room_id, &present).await?.into_iter();
        let mut events = Vec::with_capacity(wanted.len());
        for ((event_type, state_key), id) in wanted.iter().zip(ids) {
            events.push(match id {
                Some(event_id) => bodies.next().flatten().map(|event| StateEvent {
                    event_type: (*event_type).to_owned(),
                    state_key: (*state_key).to_owned(),
                    event_id,
                    pdu: event.pdu,
                }),
                None => None,
            });
        }
        Ok(events)
    }

    async fn state_where(&self, room_id: &RoomId, event_type: Option<&str>, at: &At) -> Result<Vec<StateEvent>, ReadError> {
        let root = self.root_at(room_id, at).await?;
        if root.is_none() && !matches!(at, At::Now) {
            return Ok(Vec::new());
        }
        let Some(head) = self.head(room_id).await? else { return Ok(Vec::new()) };
        let rows = current_state::scan(&*self.inner.store, room_id, head.current_buckets, event_type).await?;
        let Some(root) = root else {
            let mut events = Vec::with_capacity(rows.len());
            for ((event_type, state_key), row) in rows {
                events.extend(self.with_body(room_id, (&event_type, &state_key), row).await?);
            }
            return Ok(events);
        };
        // Most of an older state is still current: only what differs is read by id.
        let ids = self.ids_of(room_id, &root).await?;
        let wanted = ids.into_iter().filter(|id| event_type.is_none_or(|event_type| event_type == id.event_type)).collect();
        let current = rows.into_iter().map(|(_, row)| (row.event_id, row.pdu)).filter(|(_, pdu)| !pdu.is_empty()).collect();
        self.bodies(room_id, wanted, &current).await
    }

    async fn bodies(
        &self,
        room_id: &RoomId,
        wanted: Vec<StateId>,
        known: &HashMap<String, Bytes>,
    ) -> Result<Vec<StateEvent>, ReadError> {
        let missing: Vec<&EventId> = wanted.iter().map(|id| &*id.event_id).filter(|id| !known.contains_key(id.as_str())).collect();
        let mut read: HashMap<OwnedEventId, Bytes> = HashMap::new();
        for ids in missing.chunks(1_000) {
            let events = self.events(room_id, ids).await?;
            read.extend(events.into_iter().flatten().map(|event| (event.event_id, event.pdu)));
        }
        let mut events = Vec::with_capacity(wanted.len());
        for StateId { event_type, state_key, event_id } in wanted {
            let pdu = known.get(event_id.as_str()).or_else(|| read.get(&event_id)).cloned();
            events.extend(pdu.map(|pdu| StateEvent { event_type, state_key, event_id, pdu }));
        }
        Ok(events)
    }

    async fn ids_of(&self, room_id: &RoomId, root: &StateRoot) -> Result<Vec<StateId>, ReadError> {
        let state = State::from_proto(root)?;
        let entries = self.inner.states.all(room_id, &state).await?;
        Ok(entries.into_iter().map(StateId::of).collect())
    }
}

/// The types of stripped state that the specification lists.
const STRIPPED: &[&str] = &[
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.encryption",
    "m.room.canonical_alias",
];
