//! The extension `receipts`.

use banyan_sync::sliding::Request;
use serde_json::{Value, json};

use crate::{
    sliding::{ask, list, pos, rooms},
    world::World,
};

const ROOM: &str = "!r:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";
const ANN: &str = "@ann:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    world
}

fn wish(limit: u64) -> Value {
    let mut body = list([0, 9], limit, &[]);
    body["extensions"] = json!({"receipts": {"enabled": true, "rooms": ["*"]}});
    body
}

fn told(body: &Value) -> &Value {
    let event = &body["extensions"]["receipts"]["rooms"][ROOM];
    assert!(event.is_null() || event["type"] == "m.receipt");
    &event["content"]
}

#[tokio::test]
async fn at_first_those_for_events_that_are_told_then_all_that_move() {
    let mut world = world().await;
    let old = world.say(ROOM, ZOE, "old").await;
    let new = world.say(ROOM, ZOE, "new").await;
    world.read(ANN, 0, &[("m.read", "", &old)]).await;
    world.read(ZOE, 1, &[("m.read", "", &new)]).await;
    world.read(ME, 2, &[("m.read", "", &old), ("m.read.private", "", &new)]).await;
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &wish(1))).await;
    let own = json!({"m.read": {ME: {"ts": 7}}});
    let of_new = json!({"m.read": {ZOE: {"ts": 7}}, "m.read.private": {ME: {"ts": 7}}});
    assert_eq!(told(&first), &json!({&old: own, &new: of_new}));
    let quiet = worker.slide(&world, ask(ME, Some(pos(&first)), &wish(1))).await;
    assert_eq!(quiet["extensions"], json!({}));
    world.read(ANN, 0, &[("m.read", "", &new)]).await;
    world.read(ZOE, 1, &[("m.read.private", "", &new)]).await;
    let moved = json!({&new: {"m.read": {ANN: {"ts": 7}}}});
    let mut late = world.worker();
    late.begin_at_end(&world);
    for worker in [&mut late, &mut worker] {
        let body = worker.slide(&world, ask(ME, Some(pos(&quiet)), &wish(1))).await;
        assert_eq!((told(&body), rooms(&body)), (&moved, vec![]));
        let body = worker.slide(&world, ask(ME, Some(pos(&body)), &wish(1))).await;
        assert_eq!(body["extensions"], json!({}));
    }
    // With an older part of the timeline come the receipts for it.
    world.read(ANN, 0, &[("m.read", "", &old)]).await;
    let body = worker.slide(&world, ask(ME, None, &wish(1))).await;
    assert!(!told(&body).to_string().contains(ANN));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &wish(9))).await;
    assert_eq!(told(&body)[&old]["m.read"][ANN], json!({"ts": 7}));
}

#[tokio::test]
async fn what_was_missed_comes_when_it_is_asked_for_or_the_room_is_back() {
    let mut world = world().await;
    world.create("!other:x", ZOE).await;
    world.join("!other:x", ME).await;
    let said = world.say(ROOM, ZOE, "one").await;
    let mut worker = world.worker();
    let without = list([0, 9], 1, &[]);
    let body = worker.slide(&world, ask(ME, None, &without)).await;
    world.read(ZOE, 0, &[("m.read", "", &said)]).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &without)).await;
    assert_eq!((&body["extensions"], rooms(&body)), (&json!({}), vec![]));
    let expected = json!({&said: {"m.read": {ZOE: {"ts": 7}}}});
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &wish(1))).await;
    assert_eq!(told(&body), &expected);
    // Out of the window, and back in it: with a tail, and without.
    world.say("!other:x", ZOE, "up").await;
    let narrow = |mut body: Value| {
        body["lists"]["a"]["ranges"] = json!([[0, 0]]);
        body
    };
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &narrow(wish(1)))).await;
    world.read(ANN, 1, &[("m.read", "", &said)]).await;
    world.say("!other:x", ZOE, "up").await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    let body = late.slide(&world, ask(ME, Some(pos(&body)), &narrow(wish(1)))).await;
    assert!(told(&body).is_null());
    for worker in [&mut late, &mut worker] {
        let body = worker.slide(&world, ask(ME, Some(pos(&body)), &wish(1))).await;
        assert_eq!(told(&body), &json!({&said: {"m.read": {ANN: {"ts": 7}}}}));
    }
}

#[tokio::test]
async fn one_event_tells_of_all_threads_and_an_unthreaded_receipt_is_for_them_all() {
    let mut world = world().await;
    let said = world.say(ROOM, ZOE, "one").await;
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &wish(1))).await;
    world.read(ZOE, 0, &[("m.read", "", &said), ("m.read", "main", &said)]).await;
    world.read(ANN, 2, &[("m.read", "main", &said)]).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&first)), &wish(1))).await;
    let both = json!({ZOE: {"ts": 7}, ANN: {"ts": 7, "thread_id": "main"}});
    assert_eq!(told(&body), &json!({&said: {"m.read": both}}));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_wakes_who_asks_for_them() {
    let mut world = world().await;
    let said = world.say(ROOM, ZOE, "one").await;
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &wish(1))).await;
    let poll = |body: &Value| {
        let request = Request { timeout: std::time::Duration::from_secs(100), ..ask(ME, Some(pos(&first)), body) };
        let sliding = worker.sliding.clone();
        tokio::spawn(async move { crate::world::collect(async |sink| sliding.sync(request, sink).await).await })
    };
    let (asked, unasked) = (poll(&wish(1)), poll(&list([0, 9], 1, &[])));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished());
    world.read(ZOE, 0, &[("m.read", "", &said)]).await;
    worker.catch_up(&world);
    assert_eq!(told(&asked.await.unwrap().unwrap()), &json!({&said: {"m.read": {ZOE: {"ts": 7}}}}));
    assert!(!unasked.is_finished());
}
