//! A room that is written into its log without a roomserver.

use banyan_core::LogId;
use banyan_proto::rooms::{
    AliasChanged, CurrentChange, Placed, Redacted, RoomEntry, RoomHead, StateChange, StateRoot, room_entry::Kind,
};
use banyan_rooms::relation::Relation;
use prost::Message as _;
use serde_json::{Value, json};

use crate::world::World;

pub(crate) const ROOM: &str = "!room:one.test";

/// A room and what is in it so far.
pub(crate) struct Room {
    id: String,
    state: StateRoot,
    arrival: i64,
    joined: u64,
    /// Milliseconds from one event to the next.
    pub(crate) step: i64,
    /// The events so far, with the state after each.
    events: Vec<(Value, StateRoot)>,
}

impl Room {
    /// A room whose members are these, with shared history.
    pub(crate) async fn new(world: &World, members: &[&str]) -> Self {
        Self::with_id(world, ROOM, members, json!({"room_version": "11"})).await
    }

    /// The same with an id and a create event of its own.
    pub(crate) async fn with_id(world: &World, id: &str, members: &[&str], create: Value) -> Self {
        let mut room = Self { id: id.to_owned(), state: StateRoot::default(), arrival: 0, joined: 0, step: 1, events: Vec::new() };
        let creator = members[0];
        room.add(world, "m.room.create", Some(""), creator, create).await;
        for member in members {
            room.add(world, "m.room.member", Some(member), member, json!({"membership": "join", "displayname": "A name"})).await;
        }
        room
    }

    /// Adds an event and answers its id.
    pub(crate) async fn add(&mut self, world: &World, kind: &str, state_key: Option<&str>, sender: &str, content: Value) -> String {
        let event_id = format!("$e{}", self.arrival);
        let mut pdu = json!({"type": kind, "sender": sender, "room_id": self.id, "origin_server_ts": self.arrival * self.step,
            "content": content, "prev_events": [], "auth_events": [], "depth": self.arrival});
        let (mut current, mut replaced) = (Vec::new(), String::new());
        if let Some(state_key) = state_key {
            pdu["state_key"] = state_key.into();
            let membership = content["membership"].as_str().unwrap_or_default().to_owned();
            self.joined += u64::from(membership == "join");
            let same = |delta: &&StateChange| (delta.r#type.as_str(), delta.state_key.as_str()) == (kind, state_key);
            replaced = self.state.deltas.iter().find(same).map(|delta| delta.event_id.clone()).unwrap_or_default();
            self.state.deltas.retain(|delta| (delta.r#type.as_str(), delta.state_key.as_str()) != (kind, state_key));
            let (r#type, state_key) = (kind.to_owned(), state_key.to_owned());
            self.state.deltas.push(StateChange {
                r#type: r#type.clone(),
                state_key: state_key.clone(),
                event_id: event_id.clone(),
            });
            let sender = sender.to_owned();
            current.push(CurrentChange {
                r#type,
                state_key,
                event_id: event_id.clone(),
                membership,
                sender,
                ..CurrentChange::default()
            });
        }
        let placed = Placed {
            event_id: event_id.clone(),
            pdu: pdu.to_string().into_bytes().into(),
            arrival: self.arrival,
            replaces_state: replaced,
            state_after: Some(self.state.clone()),
            relation: relation(pdu.to_string().as_bytes()),
            ..Placed::default()
        };
        self.events.push((pdu, self.state.clone()));
        self.arrival += 1;
        let head = RoomHead {
            room_version: "11".to_owned(),
            create_event_id: "$e0".to_owned(),
            current: Some(self.state.clone()),
            extremities: vec![event_id.clone()],
            next_arrival: self.arrival,
            joined: self.joined,
            current_buckets: 1,
            room_type: self.events[0].0["content"]["type"].as_str().unwrap_or_default().to_owned(),
            ..RoomHead::default()
        };
        let entry = RoomEntry {
            room_id: self.id.clone(),
            head: Some(head),
            current,
            kind: Some(Kind::Placed(placed)),
            ..RoomEntry::default()
        };
        world.append(LogId::rooms(world.context.shards.shard_of(&self.id)), entry.encode_to_vec()).await;
        event_id
    }

    /// Redacts a message.
    pub(crate) async fn redact(&mut self, world: &World, event_id: &str, sender: &str) -> String {
        let redaction = self.add(world, "m.room.redaction", None, sender, json!({"redacts": event_id})).await;
        let arrival = event_id.strip_prefix("$e").unwrap().parse::<i64>().unwrap();
        let (pdu, state_after) = self.events[usize::try_from(arrival).unwrap()].clone();
        let because = self.events.last().unwrap().0.to_string();
        let mut pruned = pdu.clone();
        pruned["content"] = json!({});
        let redacted = Redacted {
            event_id: event_id.to_owned(),
            arrival,
            pruned_pdu: pruned.to_string().into_bytes().into(),
            redaction_event_id: redaction.clone(),
            redaction_pdu: because.into_bytes().into(),
            state_after: Some(state_after),
            placed: true,
            relation: relation(pdu.to_string().as_bytes()),
            ..Redacted::default()
        };
        let entry = RoomEntry { room_id: self.id.clone(), kind: Some(Kind::Redacted(redacted)), ..RoomEntry::default() };
        world.append(LogId::rooms(world.context.shards.shard_of(&self.id)), entry.encode_to_vec()).await;
        redaction
    }
}

/// What an event relates to, as the roomserver would find it.
fn relation(pdu: &[u8]) -> Option<banyan_proto::rooms::Relation> {
    let relation = Relation::of_pdu(pdu)?.to_proto();
    let arrival = relation.event_id.strip_prefix("$e").and_then(|arrival| arrival.parse().ok());
    Some(banyan_proto::rooms::Relation { placed: arrival.is_some(), arrival: arrival.unwrap_or_default(), ..relation })
}

/// Binds an alias to the room.
pub(crate) async fn bind_alias(world: &World, alias: &str, creator: &str) {
    let change = AliasChanged {
        alias: alias.to_owned(),
        room_id_of_alias: ROOM.to_owned(),
        creator: creator.to_owned(),
        servers: vec!["one.test".to_owned()],
        ..AliasChanged::default()
    };
    let entry = RoomEntry { kind: Some(Kind::Alias(change)), ..RoomEntry::default() };
    world.append(LogId::rooms(world.context.shards.shard_of(alias)), entry.encode_to_vec()).await;
}
