//! Messages and state: transactions, limits, rules.

use futures::future::join_all;
use serde_json::json;

use crate::world::{Send, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";

#[tokio::test]
async fn a_transaction_makes_one_event_however_often_and_whenever_it_is_tried() {
    let mut world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let send = |txn: &str, device: &str| Send { txn: txn.to_owned(), device: device.to_owned(), ..Send::default() };
    let attempt = |world: &World, send: Send| {
        let (client, room) = (world.client.clone(), room.clone());
        let caller = world.caller(ALICE, &send.device, None);
        async move {
            let request = banyan_proto::roomserver::SendEventRequest {
                caller,
                room_id: room.to_string(),
                r#type: "m.room.message".to_owned(),
                content: br#"{"body":"x","msgtype":"m.text"}"#.to_vec().into(),
                txn_id: send.txn,
                txn_scope: "s".to_owned(),
                ..Default::default()
            };
            client.clone().send_event(request).await.unwrap().into_inner().event_id
        }
    };
    let ids = join_all((0..8).map(|_| attempt(&world, send("t1", "D")))).await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_ne!(attempt(&world, send("t2", "D")).await, ids[0]);
    assert_ne!(attempt(&world, send("t1", "E")).await, ids[0]);
    world.restart().await;
    assert_eq!(attempt(&world, send("t1", "D")).await, ids[0]);
    let head = world.reader.head(&room).await.unwrap().unwrap();
    assert_eq!(head.next_arrival, 6 + 3);
}

#[tokio::test]
async fn a_request_is_done_once() {
    let mut world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let request = Some(world.request_id());
    let again = || Send { request, ..Send::default() };
    let content = json!({"body": "x"});
    let first = world.send_with(ALICE, &room, ("m.room.message", None), content.clone(), again()).await.unwrap();
    assert_eq!(world.send_with(ALICE, &room, ("m.room.message", None), content.clone(), again()).await.unwrap(), first);
    world.restart().await;
    assert_eq!(world.send_with(ALICE, &room, ("m.room.message", None), content, again()).await.unwrap(), first);
}

#[tokio::test]
async fn many_senders_in_one_room_make_one_line() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let bodies: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let sent = join_all(bodies.iter().map(|body| world.message(ALICE, &room, body))).await;
    let mut ids: Vec<String> = sent.into_iter().map(Result::unwrap).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60);
    let head = world.reader.head(&room).await.unwrap().unwrap();
    assert_eq!((head.next_arrival, head.extremities.len(), head.depth), (66, 1, 66));
}

#[tokio::test]
async fn state_sent_again_is_the_same_event() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let first = world.set(ALICE, &room, "m.room.name", "", json!({"name": "a"})).await.unwrap();
    assert_eq!(world.set(ALICE, &room, "m.room.name", "", json!({"name": "a"})).await.unwrap(), first);
    let second = world.set(ALICE, &room, "m.room.name", "", json!({"name": "b"})).await.unwrap();
    let event = world.reader.event(&room, second.as_str().try_into().unwrap()).await.unwrap().unwrap();
    assert_eq!(event.replaces_state.unwrap().as_str(), first);
    assert_eq!(&event.prev_content[..], br#"{"name":"a"}"#);
    assert_eq!(event.prev_sender, ALICE);
}

#[tokio::test]
async fn rules_and_limits_hold() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    let long = "x".repeat(65_000);
    assert_eq!(errcode(world.message(ALICE, &room, &long).await), "M_TOO_LARGE");
    assert_eq!(errcode(world.set(ALICE, &room, "a.b", &"k".repeat(256), json!({})).await), "M_TOO_LARGE");
    assert_eq!(errcode(world.set(BOB, &room, "m.room.name", "", json!({"name": "b"})).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.set(ALICE, &room, "m.room.create", "", json!({})).await), "M_INVALID_PARAM");
    let own = json!({"users": {ALICE: 100}});
    assert_eq!(errcode(world.set(ALICE, &room, "m.room.power_levels", "", own.clone()).await), "M_INVALID_PARAM");
    let eleven = world.create(ALICE, json!({"room_version": "11"})).await.unwrap();
    world.set(ALICE, &eleven, "m.room.power_levels", "", own).await.unwrap();
    assert_eq!(errcode(world.set(ALICE, &room, "a.b", BOB, json!({})).await), "M_FORBIDDEN");
    let fraction = world.send_with(ALICE, &room, ("m.room.message", None), json!({"n": 0.5}), Send::default()).await;
    assert_eq!(errcode(fraction), "M_BAD_JSON");
    let list = world.send_with(ALICE, &room, ("m.room.message", None), json!([1]), Send::default()).await;
    assert_eq!(errcode(list), "M_BAD_JSON");
    assert_eq!(errcode(world.message("@stranger:one.test", &room, "x").await), "M_FORBIDDEN");
    assert_eq!(errcode(world.set(ALICE, &room, "m.room.member", "bob", json!({"membership": "invite"})).await), "M_INVALID_PARAM");
}
