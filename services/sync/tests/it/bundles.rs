//! Aggregations of child events in timelines that are cut short.

use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::{
    rooms::{Send, message},
    world::{World, request, since, timeline, token},
};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

fn related(rel_type: &str, event_id: &str) -> Send {
    let content = json!({"body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id}});
    Send { content, ..message("") }
}

fn limited(limit: usize, request: Request) -> Request {
    Request { filter: json!({"room": {"timeline": {"limit": limit}}}).to_string().into(), ..request }
}

/// What an event of the timeline is shown with.
fn bundle(body: &Value, event_id: &str) -> Value {
    let events = body["rooms"]["join"][ROOM]["timeline"]["events"].as_array().unwrap();
    let event = events.iter().find(|event| event["event_id"] == event_id);
    event.unwrap_or_else(|| panic!("{event_id} is not in {body}"))["unsigned"]["m.relations"].clone()
}

#[tokio::test]
async fn a_timeline_that_is_cut_short_has_aggregations() {
    let mut world = world().await;
    let mut worker = world.worker();
    let before = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.say(ROOM, ALICE, "0").await;
    let root = world.say(ROOM, ALICE, "root").await;
    let reply = world.send(ROOM, BOB, related("m.thread", &root)).await;
    let reference = world.send(ROOM, ALICE, related("m.reference", &reply)).await;
    let check = |body: &Value| {
        assert_eq!(timeline(body, "join", ROOM), [&root, &reply, &reference]);
        let thread = bundle(body, &root)["m.thread"].clone();
        assert_eq!((&thread["count"], &thread["current_user_participated"]), (&json!(1), &json!(true)));
        assert_eq!(thread["latest_event"]["event_id"], json!(reply));
        assert!(thread["latest_event"].get("room_id").is_none());
        let chunk = json!({"m.reference": {"chunk": [{"event_id": reference}]}});
        assert_eq!((bundle(body, &reply), bundle(body, &reference)), (chunk, Value::Null));
    };
    check(&worker.sync(&world, limited(3, request(BOB))).await);
    check(&worker.sync(&world, limited(3, since(BOB, &before))).await);
    // From the rows, where the tail is too short.
    let mut fresh = world.worker();
    fresh.begin_at_end(&world);
    check(&fresh.sync(&world, limited(3, since(BOB, &before))).await);
    // A client that sees all of it aggregates by itself.
    let whole = worker.sync(&world, limited(4, since(BOB, &before))).await;
    assert_eq!((&whole["rooms"]["join"][ROOM]["timeline"]["limited"], bundle(&whole, &root)), (&json!(false), Value::Null));
}

#[tokio::test]
async fn what_a_response_does_not_cover_is_not_aggregated_in_it() {
    let mut world = world().await;
    let mut worker = world.worker();
    world.say(ROOM, ALICE, "0").await;
    let root = world.say(ROOM, ALICE, "root").await;
    let one = world.send(ROOM, ALICE, related("m.reference", &root)).await;
    worker.catch_up(&world);
    // Written, and not yet seen by the worker.
    world.send(ROOM, ALICE, related("m.reference", &root)).await;
    let body = crate::world::sync(&worker.syncs, limited(2, request(BOB))).await.unwrap();
    assert_eq!(bundle(&body, &root), json!({"m.reference": {"chunk": [{"event_id": one}]}}));
}

#[tokio::test]
async fn the_ignored_count_for_nothing() {
    let mut world = world().await;
    let mut worker = world.worker();
    let root = world.say(ROOM, BOB, "root").await;
    world.send(ROOM, ALICE, related("m.thread", &root)).await;
    world.account_data(BOB, "", "m.ignored_user_list", &json!({"ignored_users": {ALICE: {}}})).await;
    let body = worker.sync(&world, limited(1, request(BOB))).await;
    assert_eq!(bundle(&body, &root), Value::Null);
}
