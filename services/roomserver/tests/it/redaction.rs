//! Redactions.

use banyan_proto::roomserver::change_membership_request::Action;
use ruma::RoomId;
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";
const MOD: &str = "@mod:one.test";

async fn content(world: &World, room: &RoomId, event_id: &str) -> (Value, Option<String>) {
    let event = world.reader.event(room, event_id.try_into().unwrap()).await.unwrap().unwrap();
    let pdu: Value = serde_json::from_slice(&event.pdu).unwrap();
    (pdu["content"].clone(), event.redaction.map(|(id, _)| id.to_string()))
}

#[tokio::test]
async fn who_may_redacts_once() {
    for version in ["10", "11", "12"] {
        let world = World::new().await;
        let room = world.create(ALICE, json!({"preset": "public_chat", "room_version": version})).await.unwrap();
        world.join(BOB, &room).await;
        world.join(MOD, &room).await;
        let by_bob = world.message(BOB, &room, "secret").await.unwrap();
        assert_eq!(errcode(world.redact(MOD, &room, &by_bob).await), "M_FORBIDDEN");
        let first = world.redact(BOB, &room, &by_bob).await.unwrap();
        assert_eq!(content(&world, &room, &by_bob).await, (json!({}), Some(first.clone())));
        let second = world.redact(ALICE, &room, &by_bob).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(content(&world, &room, &by_bob).await, (json!({}), Some(first)));
        let by_mod = world.message(MOD, &room, "x").await.unwrap();
        let redaction = world.redact(ALICE, &room, &by_mod).await.unwrap();
        assert_eq!(content(&world, &room, &by_mod).await.1, Some(redaction.clone()));
        let pdu = world.reader.event(&room, redaction.as_str().try_into().unwrap()).await.unwrap().unwrap().pdu;
        let pdu: Value = serde_json::from_slice(&pdu).unwrap();
        let place = if version == "10" { &pdu["redacts"] } else { &pdu["content"]["redacts"] };
        assert_eq!(place, &json!(by_mod));
    }
}

#[tokio::test]
async fn current_state_is_pruned_everywhere_and_stays_current() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let name = world.set(ALICE, &room, "m.room.name", "", json!({"name": "bad"})).await.unwrap();
    world.redact(ALICE, &room, &name).await.unwrap();
    assert_eq!(world.content(&room, "m.room.name").await, json!({}));
    let member = world.act(BOB, Action::Join, BOB, &room).await.unwrap();
    world.redact(ALICE, &room, &member).await.unwrap();
    let row = world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap();
    assert_eq!(row.membership, "join");
    let pdu: Value = serde_json::from_slice(&row.pdu).unwrap();
    assert_eq!(pdu["content"], json!({"membership": "join"}));
    // The room goes on, from the pruned events.
    world.message(BOB, &room, "still here").await.unwrap();
    let rules = world.reader.state_event(&room, "m.room.join_rules", "", &Default::default()).await.unwrap().unwrap();
    world.redact(ALICE, &room, rules.event_id.as_str()).await.unwrap();
    assert_eq!(world.content(&room, "m.room.join_rules").await, json!({"join_rule": "public"}));
}

#[tokio::test]
async fn what_cannot_be_redacted_is_refused() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let create = world.reader.head(&room).await.unwrap().unwrap().create_event_id;
    assert_eq!(errcode(world.redact(ALICE, &room, &create).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.redact(ALICE, &room, "$nothing").await), "M_NOT_FOUND");
    assert_eq!(errcode(world.redact(ALICE, &room, "nothing").await), "M_INVALID_PARAM");
}

#[tokio::test]
async fn an_event_can_be_redacted_while_it_is_being_committed() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let target = world.message(ALICE, &room, "x").await.unwrap();
    let (one, two) = tokio::join!(world.redact(ALICE, &room, &target), world.redact(ALICE, &room, &target));
    let (one, two) = (one.unwrap(), two.unwrap());
    let because = content(&world, &room, &target).await.1.unwrap();
    assert!(because == one || because == two);
}
