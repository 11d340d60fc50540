//! Forks: events built on one head that take their places one after the other.

use std::{collections::BTreeSet, sync::Arc};

use banyan_bus::LocalBus;
use banyan_core::{LogId, RequestId, SeededEntropy, ShardCount, SystemClock};
use banyan_log::{LogConfig, Logs, Node};
use banyan_proto::roomserver::Profile;
use banyan_rooms::{
    apply::RoomApplier,
    event_builder::{EventDraft, content_from_json},
    reader::{At, StateEvent},
    state::StateKey,
};
use banyan_store::{Table, memory::MemoryStore};
use banyan_tenants::{ServerKey, Tenant, TenantConfig, Tenants};
use ruma::{OwnedRoomId, OwnedUserId, owned_user_id};
use serde_json::{Value, json};

use super::{Caller, Shard, Turn};
use crate::{
    RoomserverConfig, RoomserverParts,
    app::{
        create_room::{CreateRoom, create_room},
        prepare_room::{PrepareRoom, prepare_room},
    },
    metrics::Metrics,
    parts::Shared,
};

async fn shard() -> Arc<Shard> {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(SeededEntropy::new(3)));
    let tables: Vec<&'static Table> = banyan_log::tables::ALL.iter().chain(crate::TABLES).copied().collect();
    let store = Arc::new(MemoryStore::new(&tables, clock.clone(), 1).unwrap());
    let logs = Logs::new(store.clone(), Arc::new(LocalBus::new()), clock.clone(), entropy.clone(), LogConfig::default());
    let tenant = Tenant::new(TenantConfig::new("one.test"), ServerKey::generate(&*entropy)).unwrap();
    let shards = ShardCount::new(1).unwrap();
    let parts = RoomserverParts {
        bus: Arc::new(banyan_bus::LocalBus::new()),
        store,
        clock,
        entropy,
        shards,
        tenants: Tenants::new(vec![tenant]).unwrap(),
        logs: logs.clone(),
        config: RoomserverConfig::default(),
    };
    let node = Node { id: "n".to_owned(), addr: "n:1".to_owned() };
    let log = LogId::rooms(shards.shards().next().unwrap());
    let log = logs.claim(log, &node, Arc::new(RoomApplier)).await.unwrap();
    Arc::new(Shard::new(Arc::new(Shared::new(parts).unwrap()), Metrics::new(), log))
}

fn alice() -> OwnedUserId {
    owned_user_id!("@alice:one.test")
}

fn caller(shard: &Shard) -> Caller {
    let request_id = Some(RequestId::generate(&*shard.shared.clock, &*shard.shared.entropy));
    Caller { tenant: "one.test".into(), user_id: alice(), device_id: "D".to_owned(), request_id, guest: false }
}

async fn room(shard: &Arc<Shard>) -> OwnedRoomId {
    let prepare = PrepareRoom { caller: caller(shard), room_version: "12".to_owned(), content: "{}".into() };
    let create = prepare_room(&shard.shared, &prepare).unwrap();
    let command = CreateRoom {
        caller: caller(shard),
        room_id: create.room_id().to_owned(),
        create_pdu: create.json().clone(),
        request: "{}".into(),
        profile: Profile::default(),
        alias: String::new(),
        invited_profiles: Default::default(),
    };
    create_room(shard.clone(), command).await.unwrap()
}

fn name(turn: &Turn, name: &str) -> EventDraft {
    let content = content_from_json(json!({"name": name}).to_string().as_bytes()).unwrap();
    EventDraft::state(alice(), StateKey::new("m.room.name", ""), content, turn.timestamp())
}

fn ids(events: Vec<StateEvent>) -> BTreeSet<(String, String, String)> {
    events.into_iter().map(|event| (event.event_type, event.state_key, event.event_id.to_string())).collect()
}

#[tokio::test]
async fn two_events_on_one_head_fork_the_room_and_the_next_joins_it() {
    let shard = shard().await;
    let room_id = room(&shard).await;
    let turn = Turn::begin(&shard, &room_id).await.unwrap();
    let mut events = Vec::new();
    for text in ["one", "two"] {
        events.push(turn.build(name(&turn, text), &[]).await.unwrap());
    }
    drop(turn);
    for event in &events {
        let mut turn = Turn::begin(&shard, &room_id).await.unwrap();
        turn.place(event.clone(), None).await.unwrap();
        turn.commit(&caller(&shard), Vec::new(), event.event_id().as_str()).await.unwrap();
    }
    let reader = &shard.shared.reader;
    let head = reader.head(&room_id).await.unwrap().unwrap();
    assert_eq!(head.extremities.len(), 2);
    let current = ids(reader.state(&room_id, &At::Now).await.unwrap());
    assert_eq!(current, ids(reader.state(&room_id, &At::Root(head.current.clone().unwrap())).await.unwrap()));
    assert_eq!(current.iter().filter(|(event_type, ..)| event_type == "m.room.name").count(), 1);

    let mut turn = Turn::begin(&shard, &room_id).await.unwrap();
    let topic = EventDraft::state(alice(), StateKey::new("m.room.topic", ""), Default::default(), turn.timestamp());
    let joining = turn.send(topic, None, &[]).await.unwrap();
    turn.commit(&caller(&shard), Vec::new(), joining.as_str()).await.unwrap();
    let head = reader.head(&room_id).await.unwrap().unwrap();
    assert_eq!(head.extremities, [joining.to_string()]);
    let pdu: Value = serde_json::from_slice(&reader.event(&room_id, &joining).await.unwrap().unwrap().pdu).unwrap();
    let forks: BTreeSet<&str> = pdu["prev_events"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(forks, events.iter().map(|event| event.event_id().as_str()).collect());
    let after = ids(reader.state(&room_id, &At::Now).await.unwrap());
    assert!(current.is_subset(&after));
}

#[tokio::test]
async fn a_turn_that_is_dropped_leaves_no_trace() {
    let shard = shard().await;
    let room_id = room(&shard).await;
    let before = shard.shared.reader.head(&room_id).await.unwrap();
    let mut turn = Turn::begin(&shard, &room_id).await.unwrap();
    turn.send(name(&turn, "never"), None, &[]).await.unwrap();
    drop(turn);
    let turn = Turn::begin(&shard, &room_id).await.unwrap();
    assert_eq!(turn.head().ok().map(|head| head.next_arrival), before.as_ref().map(|head| head.next_arrival));
    assert!(turn.state_event("m.room.name", "").await.unwrap().is_none());
    assert_eq!(shard.shared.reader.head(&room_id).await.unwrap(), before);
}

#[tokio::test]
async fn turns_see_the_state_that_the_turns_before_them_left() {
    let shard = shard().await;
    let room_id = room(&shard).await;
    let seen = |turn: Turn| async move {
        let named = turn.state_event("m.room.name", "").await.unwrap();
        named.map(|event| event.content_as::<Value>().unwrap()["name"].as_str().unwrap().to_owned())
    };
    assert_eq!(seen(Turn::begin(&shard, &room_id).await.unwrap()).await, None);
    for text in ["one", "two"] {
        let mut turn = Turn::begin(&shard, &room_id).await.unwrap();
        let draft = name(&turn, text);
        let event_id = turn.send(draft, None, &[]).await.unwrap();
        assert_eq!(turn.state_event("m.room.name", "").await.unwrap().unwrap().event_id(), event_id);
        turn.commit(&caller(&shard), Vec::new(), event_id.as_str()).await.unwrap();
        assert_eq!(seen(Turn::begin(&shard, &room_id).await.unwrap()).await.as_deref(), Some(text));
    }
}

#[tokio::test]
async fn rooms_made_at_the_same_moment_are_different_ones() {
    let shard = shard().await;
    assert_ne!(room(&shard).await, room(&shard).await);
}
