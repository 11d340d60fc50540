//! Another owner, and replay.

use std::collections::BTreeMap;

use banyan_core::LogSeq;
use banyan_log::Applier;
use banyan_proto::roomserver::change_membership_request::Action;
use banyan_rooms::{apply::RoomApplier, reader::At};
use banyan_store::{Key, Row, TableStore, Write};
use serde_json::json;

use crate::world::World;

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

/// A bit of everything.
async fn busy(world: &World) -> ruma::OwnedRoomId {
    let room = world.create(ALICE, json!({"preset": "public_chat", "name": "n", "visibility": "public"})).await.unwrap();
    world.claim(ALICE, "#r:one.test", &room).await.unwrap();
    world.join(BOB, &room).await;
    let message = world.message(BOB, &room, "1").await.unwrap();
    world.redact(ALICE, &room, &message).await.unwrap();
    for n in 0..40 {
        world.set(ALICE, &room, "org.example.state", &n.to_string(), json!({"n": n})).await.unwrap();
    }
    world.set(ALICE, &room, "m.room.topic", "", json!({"topic": "t"})).await.unwrap();
    world.act(ALICE, Action::Invite, "@carol:one.test", &room).await.unwrap();
    world.leave(BOB, &room).await;
    world.forget(BOB, &room).await.unwrap();
    room
}

#[tokio::test]
async fn a_new_owner_finds_the_room_as_it_was() {
    let mut world = World::new().await;
    let room = busy(&world).await;
    let (head, state) = (world.reader.head(&room).await.unwrap().unwrap(), world.state(&room).await);
    world.restart().await;
    assert_eq!(world.state(&room).await, state);
    let next = world.message(ALICE, &room, "after").await.unwrap();
    let event = world.reader.event(&room, next.as_str().try_into().unwrap()).await.unwrap().unwrap();
    assert_eq!(event.place.unwrap().arrival, head.next_arrival);
    let pdu: serde_json::Value = serde_json::from_slice(&event.pdu).unwrap();
    assert_eq!(pdu["prev_events"], json!(head.extremities));
    assert_eq!(pdu["depth"], json!(head.depth + 1));
    assert_eq!(world.state(&room).await, state);
}

#[tokio::test]
async fn an_old_owner_is_refused() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let old = world.client.clone();
    let mut world = world;
    world.restart().await;
    world.message(ALICE, &room, "new").await.unwrap();
    world.client = old;
    let error = world.message(ALICE, &room, "old").await.unwrap_err();
    assert_eq!(error.code, banyan_core::ErrorCode::NotOwner);
}

#[tokio::test]
async fn the_trie_and_the_rows_of_current_state_agree() {
    let world = World::new().await;
    let room = busy(&world).await;
    let head = world.reader.head(&room).await.unwrap().unwrap();
    let by_id = |events: Vec<banyan_rooms::reader::StateEvent>| -> BTreeMap<(String, String), String> {
        events.into_iter().map(|event| ((event.event_type, event.state_key), event.event_id.to_string())).collect()
    };
    let current = by_id(world.reader.state(&room, &At::Now).await.unwrap());
    let trie = by_id(world.reader.state(&room, &At::Root(head.current.unwrap())).await.unwrap());
    assert_eq!(current, trie);
    assert!(current.len() > 45, "{}", current.len());
}

/// All entries of a log, applied anew in any repetition, give the rows that are there.
#[tokio::test]
async fn replay_changes_no_row() {
    let world = World::new().await;
    busy(&world).await;
    let mut last: BTreeMap<(&str, Key, Key), Write> = BTreeMap::new();
    for log in &world.owned {
        let mut follower = world.logs().follow(log.id(), LogSeq(0));
        while follower.position() < log.applied() {
            for entry in follower.next().await.unwrap().entries {
                let rows = RoomApplier.derive(&entry).unwrap();
                assert_eq!(format!("{rows:?}"), format!("{:?}", RoomApplier.derive(&entry).unwrap()));
                for row in rows {
                    let clustering = match &row.write {
                        Write::Put { clustering, .. } | Write::Delete { clustering } => clustering.clone(),
                    };
                    let key = (row.table.name, row.partition.clone(), clustering);
                    last.insert(key, row.write.clone());
                }
            }
        }
    }
    for ((table, partition, clustering), write) in last {
        let table = banyan_roomserver::TABLES.iter().find(|known| known.name == table).unwrap();
        let stored: Option<Row> = world.store.get(table, &partition, &clustering).await.unwrap();
        match write {
            Write::Put { value, .. } => {
                assert_eq!(stored.map(|row| row.value), Some(value), "{} {partition:?} {clustering:?}", table.name);
            }
            Write::Delete { .. } => assert_eq!(stored, None, "{} {partition:?} {clustering:?}", table.name),
        }
    }
}
