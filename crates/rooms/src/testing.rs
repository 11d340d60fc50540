//! Homeservers in memory for this crate's tests: each has its own view of one room, makes events on it and takes in others'.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use banyan_core::{SeededEntropy, TimestampMicros};
use banyan_proto::rooms as proto;
use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedUserId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
};
use serde_json::{Value, json};

use crate::{
    auth::AuthState,
    event_builder::{self, EventDraft, NewRoom, Position},
    event_source::MemoryEvents,
    pdu::Pdu,
    placement::{PlaceError, PlaceRequest, Placement, Placer},
    signing::ServerSigner,
    state::{MemoryNodes, State, StateKey, States},
    version::RoomVersion,
};

thread_local! {
    /// Every test has a thread of its own, so times repeat from run to run.
    static NOW: Cell<u64> = const { Cell::new(FIRST) };
}

const FIRST: u64 = 1_700_000_000_000;

/// Sets the time back, so that what follows can be repeated exactly.
pub(crate) fn restart_time() {
    NOW.set(FIRST);
}

pub(crate) fn user(name: &str) -> OwnedUserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn object(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn signer(user: &UserId) -> ServerSigner {
    ServerSigner::new(user.server_name().to_owned(), "k", &[7; 32]).unwrap()
}

fn tick() -> MilliSecondsSinceUnixEpoch {
    NOW.set(NOW.get() + 1);
    MilliSecondsSinceUnixEpoch(UInt::new_saturating(NOW.get()))
}

/// One homeserver's view of a room.
pub(crate) struct View {
    pub(crate) version: &'static RoomVersion,
    pub(crate) placer: Placer,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) head: Option<proto::RoomHead>,
    pub(crate) placed: Vec<Pdu>,
}

impl View {
    pub(crate) fn new(version: &str) -> Self {
        let events = Arc::new(MemoryEvents::default());
        let placer = Placer::new(States::new(Arc::new(MemoryNodes::default())), events.clone());
        Self { version: RoomVersion::get(version).unwrap(), placer, events, head: None, placed: Vec::new() }
    }

    /// A view of a new room of `creator`, who has joined and set power levels (100 for the creator before version 12, 50 for
    /// `moderators`) and the join rule.
    pub(crate) async fn with_room(version: &str, creator: &str, moderators: &[&str], join_rule: &str) -> Self {
        let mut view = Self::new(version);
        view.create(creator, json!({})).await;
        let creator_id = creator;
        view.send(creator_id, "m.room.member", Some(creator_id), json!({ "membership": "join" })).await.unwrap();
        let mut users = serde_json::Map::new();
        if !view.version.authorization().explicitly_privilege_room_creators {
            users.insert(creator.to_owned(), json!(100));
        }
        users.extend(moderators.iter().map(|user| ((*user).to_owned(), json!(50))));
        view.send(creator_id, "m.room.power_levels", Some(""), json!({ "users": users })).await.unwrap();
        view.send(creator_id, "m.room.join_rules", Some(""), json!({ "join_rule": join_rule })).await.unwrap();
        view
    }

    pub(crate) async fn create(&mut self, creator: &str, content: Value) -> Pdu {
        let creator = user(creator);
        let room = NewRoom { creator: creator.clone(), version: self.version, content: object(content), origin_server_ts: tick() };
        let event = event_builder::create_room(room, &signer(&creator), &SeededEntropy::new(1)).unwrap();
        self.take(event.clone()).await.unwrap();
        event
    }

    /// Another server that has got everything placed here, in the same order.
    pub(crate) async fn fork(&self) -> Self {
        let mut view = Self::new(self.version.as_str());
        for event in &self.placed {
            view.take(event.clone()).await.unwrap();
        }
        view
    }

    pub(crate) fn room(&self) -> &ruma::RoomId {
        self.placed[0].room_id()
    }

    pub(crate) fn current(&self) -> State {
        State::from_proto(self.head.as_ref().unwrap().current.as_ref().unwrap()).unwrap()
    }

    /// The current state with everything in the trie, so that equal states are equal.
    pub(crate) async fn folded(&self) -> State {
        self.placer.states().fold(self.room(), &self.current(), TimestampMicros(1)).await.unwrap().state
    }

    /// The current state as a map.
    pub(crate) async fn contents(&self) -> BTreeMap<StateKey, OwnedEventId> {
        self.placer.states().all(self.room(), &self.current()).await.unwrap().into_iter().collect()
    }

    pub(crate) async fn get(&self, kind: &str, state_key: &str) -> Option<OwnedEventId> {
        self.placer.states().get(self.room(), &self.current(), &StateKey::new(kind, state_key)).await.unwrap()
    }

    pub(crate) async fn membership(&self, user: &str) -> Option<String> {
        let key = StateKey::new(StateEventType::RoomMember, user);
        let events = self.placer.state_events(self.room(), self.version, &self.current(), &[key]).await.unwrap();
        events.first().and_then(|event| event.membership().map(str::to_owned))
    }

    /// Makes an event on this view's head without placing it.
    pub(crate) async fn make(&self, sender: &str, kind: &str, state_key: Option<&str>, content: Value) -> Pdu {
        let head = self.head.as_ref().unwrap();
        let draft = EventDraft {
            sender: user(sender),
            kind: TimelineEventType::from(kind),
            state_key: state_key.map(str::to_owned),
            content: object(content),
            redacts: None,
            origin_server_ts: tick(),
        };
        let keys = draft.required_keys(self.version).unwrap();
        let state = self.placer.state_events(self.room(), self.version, &self.current(), &keys).await.unwrap();
        let extremities: Vec<OwnedEventId> = head.extremities.iter().map(|id| id.as_str().try_into().unwrap()).collect();
        let position = Position { version: self.version, room_id: self.room(), extremities: &extremities, depth: head.depth };
        event_builder::build(draft, position, &AuthState::new(state), &signer(&user(sender))).unwrap()
    }

    /// Makes an event and places it.
    pub(crate) async fn send(
        &mut self,
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Result<Pdu, PlaceError> {
        let event = self.make(sender, kind, state_key, content).await;
        self.take(event.clone()).await?;
        Ok(event)
    }

    pub(crate) async fn member(&mut self, sender: &str, target: &str, membership: &str) -> Result<Pdu, PlaceError> {
        self.send(sender, "m.room.member", Some(target), json!({ "membership": membership })).await
    }

    /// Takes an event in.
    pub(crate) async fn take(&mut self, event: Pdu) -> Result<Placement, PlaceError> {
        let now = TimestampMicros(i64::try_from(NOW.get()).unwrap());
        let placement = self.placer.place(self.head.as_ref(), PlaceRequest::new(event.clone(), now)).await?;
        self.events.insert(placement.event.clone());
        self.head = Some(placement.head.clone());
        self.placed.push(event);
        Ok(placement)
    }

    /// Takes in everything the other has and this has not.
    pub(crate) async fn catch_up(&mut self, other: &Self) {
        for event in &other.placed {
            if !self.placed.contains(event) {
                self.take(event.clone()).await.unwrap();
            }
        }
    }
}
