//! Rooms that do as they are told: no authorisation, but the same entries as the roomserver's.

use std::{collections::BTreeMap, sync::Arc};

use banyan_proto::rooms::{CurrentChange, Gap, Placed, Redacted, RoomEntry, RoomHead, StateChanged, Transaction, room_entry::Kind};
use banyan_rooms::{
    heroes,
    relation::Relation,
    state::{State, StateDelta, StateKey},
};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value, json};

use crate::world::World;

/// A key of a state.
pub(crate) type Key = (String, String);

/// Event ids by key.
type StateIds = BTreeMap<Key, String>;

/// An event as the room knows it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) key: Option<Key>,
    pub(crate) pdu: Value,
    pub(crate) arrival: i64,
    pub(crate) seq: u64,
    pub(crate) hidden: bool,
    pub(crate) after: State,
    pub(crate) replaces: String,
    /// The current state before the event, and the state after it, by event id.
    pub(crate) states: (Arc<StateIds>, Arc<StateIds>),
}

#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) head: RoomHead,
    pub(crate) state: State,
    pub(crate) current: BTreeMap<Key, String>,
    pub(crate) events: Vec<Event>,
}

/// What to send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Send {
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Value,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) soft_failed: bool,
    /// A state event that loses against what is there: state after it on its own branch, current state unchanged.
    pub(crate) overruled: bool,
    /// The state before it, of an event of another branch, which changes nothing of the current state.
    pub(crate) branch: Option<State>,
    /// The same by event id; without it, the current state.
    pub(crate) branch_ids: Option<Arc<StateIds>>,
}

pub(crate) fn message(body: &str) -> Send {
    Send { kind: "m.room.message".to_owned(), content: json!({"msgtype": "m.text", "body": body}), ..Send::default() }
}

pub(crate) fn state(kind: &str, key: &str, content: Value) -> Send {
    Send { kind: kind.to_owned(), state_key: Some(key.to_owned()), content, ..Send::default() }
}

pub(crate) fn member(user: &str, membership: &str) -> Send {
    state("m.room.member", user, json!({"membership": membership}))
}

impl Room {
    pub(crate) fn event(&self, id: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.id == id)
    }

    fn membership_of(&self, id: &str) -> String {
        self.event(id).and_then(|event| event.pdu["content"]["membership"].as_str()).unwrap_or_default().to_owned()
    }

    /// The change of current state that makes `id` (in `pdu`) the event of a key.
    fn change(&self, key: &Key, id: &str, pdu: Option<&Value>) -> CurrentChange {
        let previous = self.current.get(key).cloned().unwrap_or_default();
        let membership = match pdu {
            Some(pdu) => pdu["content"]["membership"].as_str().unwrap_or_default().to_owned(),
            None => self.membership_of(id),
        };
        let sender = pdu.or_else(|| self.event(id).map(|event| &event.pdu)).map(|pdu| pdu["sender"].as_str().unwrap().to_owned());
        let invite = membership == "invite" || membership == "knock";
        let stripped = json!({"type": "m.room.create", "state_key": "", "sender": "@creator:x", "content": {}});
        CurrentChange {
            r#type: key.0.clone(),
            state_key: key.1.clone(),
            event_id: id.to_owned(),
            previous_membership: self.membership_of(&previous),
            previous_event_id: previous,
            pdu: if pdu.is_some() { Default::default() } else { self.event(id).unwrap().pdu.to_string().into() },
            membership,
            sender: sender.unwrap_or_default(),
            stripped_state: if invite { vec![stripped.to_string().into()] } else { Vec::new() },
        }
    }

    fn count(&mut self, change: &CurrentChange) {
        if change.r#type != "m.room.member" {
            return;
        }
        let (was, is) = (change.previous_membership.as_str(), change.membership.as_str());
        let active = |membership: &str| matches!(membership, "join" | "invite");
        let before = self.head.joined + self.head.invited;
        heroes::change(&mut self.head.heroes, before, &change.state_key, active(was), active(is));
        self.head.joined = self.head.joined + u64::from(is == "join") - u64::from(was == "join");
        self.head.invited = self.head.invited + u64::from(is == "invite") - u64::from(was == "invite");
    }
}

impl World {
    /// A room with a creator who has joined.
    pub(crate) async fn create(&mut self, id: &str, creator: &str) {
        let head = RoomHead { room_version: "11".to_owned(), current_buckets: 1, ..RoomHead::default() };
        let room = Room { head, state: State::empty(), current: BTreeMap::new(), events: Vec::new() };
        self.rooms.insert(id.to_owned(), room);
        self.send(id, creator, state("m.room.create", "", json!({}))).await;
        self.send(id, creator, member(creator, "join")).await;
        self.send(id, creator, state("m.room.join_rules", "", json!({"join_rule": "public"}))).await;
    }

    pub(crate) async fn join(&mut self, room: &str, user: &str) -> String {
        self.send(room, user, member(user, "join")).await
    }

    pub(crate) async fn leave(&mut self, room: &str, user: &str) -> String {
        self.send(room, user, member(user, "leave")).await
    }

    pub(crate) async fn say(&mut self, room: &str, user: &str, body: &str) -> String {
        self.send(room, user, message(body)).await
    }

    pub(crate) async fn send(&mut self, room_id: &str, sender: &str, send: Send) -> String {
        let now = self.now();
        let mut room = self.rooms.remove(room_id).unwrap();
        let arrival = room.head.next_arrival;
        let id = format!("${}-{arrival}", room_id[1..].replace(':', "-"));
        let mut pdu = json!({"type": send.kind, "sender": sender, "content": send.content, "room_id": room_id, "depth": arrival,
            "origin_server_ts": now.as_millis(), "auth_events": [], "prev_events": [], "hashes": {}, "signatures": {}});
        let key = send.state_key.map(|key| (send.kind.clone(), key));
        let typed = OwnedRoomId::try_from(room_id).unwrap();
        let before = send.branch.as_ref().unwrap_or(&room.state);
        let overruled = send.overruled || send.branch.is_some();
        let mut after = before.clone();
        let mut replaces = String::new();
        let mut current = Vec::new();
        if let Some(key) = &key {
            pdu["state_key"] = json!(key.1);
            let delta = StateDelta {
                key: StateKey::new(key.0.as_str(), key.1.as_str()),
                event_id: Some(OwnedEventId::try_from(id.as_str()).unwrap()),
            };
            after = self.states.apply(&typed, before, vec![delta], now).await.unwrap().state;
            replaces = send.branch_ids.as_deref().unwrap_or(&room.current).get(key).cloned().unwrap_or_default();
            if !overruled && !send.soft_failed {
                current.push(room.change(key, &id, Some(&pdu)));
            }
        }
        let previous = room.event(&replaces).cloned();
        let before = send.branch_ids.clone().unwrap_or_else(|| Arc::new(room.current.clone()));
        let mut state_after = before.clone();
        if let Some(key) = &key {
            Arc::make_mut(&mut state_after).insert(key.clone(), id.clone());
        }
        room.head.next_arrival += 1;
        if pdu["type"] == "m.room.message" && !overruled && !send.soft_failed {
            room.head.bump_stamp = now.0;
        }
        room.head.depth += 1;
        for change in &current {
            room.count(change);
            room.current.insert((change.r#type.clone(), change.state_key.clone()), id.clone());
        }
        if !send.soft_failed && !overruled {
            room.state = after.clone();
        }
        room.head.current = Some(room.state.to_proto());
        let placed = Placed {
            event_id: id.clone(),
            pdu: pdu.to_string().into(),
            arrival,
            sub: 0,
            soft_failed: send.soft_failed,
            state_after: Some(after.to_proto()),
            replaces_state: replaces.clone(),
            prev_content: previous.as_ref().map(|event| event.pdu["content"].to_string().into()).unwrap_or_default(),
            prev_sender: previous.map(|event| event.sender).unwrap_or_default(),
            transaction: send.transaction,
            relation: Relation::of_pdu(pdu.to_string().as_bytes()).map(|relation| relation.to_proto()),
        };
        let entry = RoomEntry {
            room_id: room_id.to_owned(),
            head: Some(room.head.clone()),
            current,
            kind: Some(Kind::Placed(placed)),
            ..RoomEntry::default()
        };
        let seq = self.append_room(entry).await;
        let sender = sender.to_owned();
        room.events.push(Event {
            id: id.clone(),
            sender,
            key,
            pdu,
            arrival,
            seq: seq.0,
            hidden: send.soft_failed,
            after,
            replaces,
            states: (before, state_after),
        });
        room.head.seq = seq.0;
        self.rooms.insert(room_id.to_owned(), room);
        id
    }

    /// Current state changes without an event: `id` becomes the event of its key.
    pub(crate) async fn flip(&mut self, room_id: &str, id: &str) {
        let now = self.now();
        let mut room = self.rooms.remove(room_id).unwrap();
        let key = room.event(id).unwrap().key.clone().unwrap();
        let delta =
            StateDelta { key: StateKey::new(key.0.as_str(), key.1.as_str()), event_id: Some(OwnedEventId::try_from(id).unwrap()) };
        let typed = OwnedRoomId::try_from(room_id).unwrap();
        room.state = self.states.apply(&typed, &room.state, vec![delta], now).await.unwrap().state;
        let change = room.change(&key, id, None);
        room.count(&change);
        room.current.insert(key, id.to_owned());
        room.head.current = Some(room.state.to_proto());
        let entry = RoomEntry {
            room_id: room_id.to_owned(),
            head: Some(room.head.clone()),
            current: vec![change],
            kind: Some(Kind::StateChanged(StateChanged { reason: "test".to_owned() })),
            ..RoomEntry::default()
        };
        room.head.seq = self.append_room(entry).await.0;
        self.rooms.insert(room_id.to_owned(), room);
    }

    /// Current state loses a key without an event.
    pub(crate) async fn remove(&mut self, room_id: &str, key: &Key) {
        let now = self.now();
        let mut room = self.rooms.remove(room_id).unwrap();
        let typed = OwnedRoomId::try_from(room_id).unwrap();
        let delta = StateDelta { key: StateKey::new(key.0.as_str(), key.1.as_str()), event_id: None };
        room.state = self.states.apply(&typed, &room.state, vec![delta], now).await.unwrap().state;
        let previous = room.current.remove(key).unwrap();
        let change = CurrentChange {
            r#type: key.0.clone(),
            state_key: key.1.clone(),
            previous_membership: room.membership_of(&previous),
            previous_event_id: previous,
            ..CurrentChange::default()
        };
        room.count(&change);
        room.head.current = Some(room.state.to_proto());
        let entry = RoomEntry {
            room_id: room_id.to_owned(),
            head: Some(room.head.clone()),
            current: vec![change],
            kind: Some(Kind::StateChanged(StateChanged { reason: "test".to_owned() })),
            ..RoomEntry::default()
        };
        room.head.seq = self.append_room(entry).await.0;
        self.rooms.insert(room_id.to_owned(), room);
    }

    /// Redacts an event: a redaction event, then the entry that prunes.
    pub(crate) async fn redact(&mut self, room_id: &str, sender: &str, target: &str) -> String {
        let redaction = Send { kind: "m.room.redaction".to_owned(), content: json!({"redacts": target}), ..Send::default() };
        let redaction = self.send(room_id, sender, redaction).await;
        let mut room = self.rooms.remove(room_id).unwrap();
        let because = room.event(&redaction).unwrap().pdu.clone();
        let event = room.events.iter_mut().find(|event| event.id == target).unwrap();
        let membership = event.pdu["content"].get("membership").cloned();
        event.pdu["content"] = membership.map_or_else(|| json!({}), |membership| json!({"membership": membership}));
        let event = event.clone();
        let is_current = event.key.as_ref().is_some_and(|key| room.current.get(key).is_some_and(|id| id == target));
        let current = event.key.as_ref().filter(|_| is_current).map(|key| CurrentChange {
            previous_membership: room.membership_of(&event.replaces),
            ..room.change(key, target, None)
        });
        let redacted = Redacted {
            event_id: target.to_owned(),
            arrival: event.arrival,
            sub: 0,
            pruned_pdu: event.pdu.to_string().into(),
            redaction_event_id: redaction.clone(),
            redaction_pdu: because.to_string().into(),
            state_after: Some(event.after.to_proto()),
            was_current_state: is_current,
            placed_seq: event.seq,
            replaces_state: event.replaces.clone(),
            soft_failed: event.hidden,
            current,
            current_seq: event.seq,
            placed: true,
            current_buckets: 1,
            ..Redacted::default()
        };
        let entry = RoomEntry { room_id: room_id.to_owned(), kind: Some(Kind::Redacted(redacted)), ..RoomEntry::default() };
        self.append_room(entry).await;
        self.rooms.insert(room_id.to_owned(), room);
        redaction
    }

    /// History is missing before the next event.
    pub(crate) async fn gap(&mut self, room_id: &str) {
        let room = self.rooms.get(room_id).unwrap();
        let gap = Gap { arrival: room.head.next_arrival, sub: 0, missing: vec!["$missing".to_owned()], closed: false };
        let entry = RoomEntry {
            room_id: room_id.to_owned(),
            head: Some(room.head.clone()),
            kind: Some(Kind::Gap(gap)),
            ..RoomEntry::default()
        };
        self.append_room(entry).await;
    }
}
