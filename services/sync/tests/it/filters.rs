//! What filters leave.

use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::{
    rooms::{Send, message, state as set},
    world::{World, request, since, state, timeline, token},
};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";

fn with(filter: &Value, request: Request) -> Request {
    Request { filter: filter.to_string().into(), ..request }
}

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

#[tokio::test]
async fn a_timeline_filter_chooses_types_senders_and_urls_and_keeps_state_whole() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let name = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "n"}))).await;
    let one = world.say(ROOM, ALICE, "1").await;
    let two = world.say(ROOM, BOB, "2").await;
    let file = Send { content: json!({"msgtype": "m.file", "url": "mxc://x/y"}), ..message("") };
    let file = world.send(ROOM, ALICE, file).await;
    let cases = [
        (json!({"types": ["m.room.mess*"]}), vec![&one, &two, &file]),
        (json!({"not_types": ["m.room.message"]}), vec![&name]),
        (json!({"senders": [BOB]}), vec![&two]),
        (json!({"not_senders": [ALICE]}), vec![&two]),
        (json!({"contains_url": true}), vec![&file]),
        (json!({"contains_url": false, "types": ["m.room.message"]}), vec![&one, &two]),
        (json!({"limit": 1}), vec![&file]),
        (json!({"not_rooms": [ROOM]}), vec![]),
    ];
    for (timeline_filter, wanted) in cases {
        let filter = json!({"room": {"timeline": timeline_filter}});
        let body = worker.sync(&world, with(&filter, since(BOB, &first))).await;
        assert_eq!(timeline(&body, "join", ROOM), wanted, "{timeline_filter}");
        // What the timeline does not set, the state does.
        let in_timeline = wanted.contains(&&name);
        assert_eq!(state(&body, "join", ROOM).contains(&name.as_str()), !in_timeline, "{timeline_filter}");
    }
}

#[tokio::test]
async fn rooms_and_state_are_filtered() {
    let mut world = world().await;
    world.create("!other:x", BOB).await;
    let mut worker = world.worker();
    let filter =
        json!({"room": {"rooms": [ROOM], "timeline": {"limit": 0}, "state": {"types": ["m.room.member"], "not_senders": [ALICE]}}});
    let body = worker.sync(&world, with(&filter, request(BOB))).await;
    assert_eq!(body["rooms"]["join"].as_object().unwrap().len(), 1);
    let state = body["rooms"]["join"][ROOM]["state"]["events"].as_array().unwrap();
    assert_eq!(state.len(), 1);
    assert_eq!(state[0]["sender"], BOB);
}

#[tokio::test]
async fn account_data_is_filtered_by_type() {
    let mut world = world().await;
    world.account_data(BOB, "", "m.direct", &json!({})).await;
    world.account_data(BOB, ROOM, "m.tag", &json!({})).await;
    world.account_data(BOB, ROOM, "org.x", &json!({})).await;
    let filter = json!({"account_data": {"types": ["m.direct"]}, "room": {"account_data": {"not_types": ["org.*"]}}});
    let body = world.worker().sync(&world, with(&filter, request(BOB))).await;
    let kinds = |events: &Value| -> Vec<String> {
        events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&body["account_data"]["events"]), ["m.direct"]);
    assert_eq!(kinds(&body["rooms"]["join"][ROOM]["account_data"]["events"]), ["m.tag"]);
}

#[tokio::test]
async fn events_come_with_the_fields_and_in_the_format_asked_for() {
    let mut world = world().await;
    world.say(ROOM, ALICE, "hi").await;
    let mut worker = world.worker();
    let filter = json!({"event_fields": ["type", "event_id", "content.body"], "room": {"timeline": {"limit": 1}}});
    let body = worker.sync(&world, with(&filter, request(BOB))).await;
    let event = &body["rooms"]["join"][ROOM]["timeline"]["events"][0];
    assert_eq!(event["content"], json!({"body": "hi"}));
    assert!(event.get("sender").is_none() && event.get("unsigned").is_none());
    let filter = json!({"event_format": "federation", "room": {"timeline": {"limit": 1}}});
    let body = worker.sync(&world, with(&filter, request(BOB))).await;
    let event = &body["rooms"]["join"][ROOM]["timeline"]["events"][0];
    assert!(event["auth_events"].is_array() && event["room_id"] == ROOM && event["unsigned"]["age"].is_u64());
}
