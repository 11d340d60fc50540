//! What is around an event, and at a time.

use banyan_proto::users::{AccountDataChanged, user_entry::Kind};
use serde_json::{Value, json};

use crate::{
    room::{ROOM, Room},
    world::{ALICE, ALICE_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const V1: &str = "/_matrix/client/v1";
const BOB: &str = "@bob:one.test";
const DAY: i64 = 86_400_000;

/// The `n` of messages.
fn numbers(events: &Value) -> Vec<i64> {
    events.as_array().unwrap().iter().map(|event| event["content"]["n"].as_i64().unwrap_or(-1)).collect()
}

async fn messages(world: &World, room: &mut Room, numbers: std::ops::Range<i64>) -> Vec<String> {
    let mut ids = Vec::new();
    for n in numbers {
        let sender = if n % 2 == 0 { ALICE } else { BOB };
        ids.push(room.add(world, "m.room.message", None, sender, json!({"n": n})).await);
    }
    ids
}

fn filter(filter: &Value) -> String {
    filter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn the_events_around_an_event_are_shown_nearest_first() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let ids = messages(&world, &mut room, 0..9).await;
    let path = format!("{V3}/rooms/{ROOM}/context/{}", ids[4]);
    let (status, page) = world.get(&format!("{path}?limit=5")).await;
    assert_eq!(status.as_u16(), 200, "{page}");
    assert_eq!((numbers(&page["events_before"]), numbers(&page["events_after"])), (vec![3, 2], vec![5, 6, 7]));
    assert_eq!((&page["event"]["event_id"], &page["event"]["room_id"]), (&json!(ids[4]), &json!(ROOM)));
    assert_eq!(page["state"].as_array().unwrap().len(), 3);
    // The tokens go on in both directions without gap or overlap.
    let page_from = async |dir: &str, from: &Value| {
        let path = format!("{V3}/rooms/{ROOM}/messages?dir={dir}&from={}", from.as_str().unwrap());
        numbers(&world.get(&path).await.1["chunk"])
    };
    assert_eq!(page_from("b", &page["start"]).await[..2], [1, 0]);
    assert_eq!(page_from("f", &page["end"]).await, [8]);

    let (_, alone) = world.get(&format!("{path}?limit=0")).await;
    assert_eq!((numbers(&alone["events_before"]), numbers(&alone["events_after"])), (vec![], vec![]));
    assert_eq!(page_from("b", &alone["start"]).await[..2], [3, 2]);
    assert_eq!(page_from("f", &alone["end"]).await, [5, 6, 7, 8]);
}

#[tokio::test]
async fn a_filter_is_for_what_is_around_and_for_the_state() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB, "@carol:one.test"]).await;
    room.add(&world, "m.room.name", Some(""), ALICE, json!({"name": "Here"})).await;
    let ids = messages(&world, &mut room, 0..5).await;
    let context = async |limit: usize, wanted: Value| {
        let path = format!("{V3}/rooms/{ROOM}/context/{}?limit={limit}&filter={}", ids[1], filter(&wanted));
        world.get(&path).await.1
    };
    let page = context(10, json!({"types": ["m.room.message"], "senders": [ALICE]})).await;
    assert_eq!((numbers(&page["events_before"]), numbers(&page["events_after"])), (vec![0], vec![2, 4]));
    assert_eq!((page["event"]["sender"].as_str(), page["state"].as_array().unwrap().len()), (Some(BOB), 0));
    let lazy = context(2, json!({"lazy_load_members": true, "not_types": ["m.room.create"]})).await;
    let mut members: Vec<_> = lazy["state"].as_array().unwrap().iter().map(|event| event["state_key"].as_str().unwrap()).collect();
    members.sort_unstable();
    assert_eq!(members, ["", ALICE, BOB]);
}

#[tokio::test]
async fn of_ignored_users_only_state_is_shown() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let ids = messages(&world, &mut room, 0..4).await;
    let content = json!({"ignored_users": {BOB: {}}}).to_string().into_bytes();
    let r#type = "m.ignored_user_list".to_owned();
    let list = AccountDataChanged { room_id: String::new(), r#type, content: content.into() };
    world.user_entry(ALICE, Kind::AccountData(list)).await;
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/context/{}?limit=10", ids[2])).await;
    assert_eq!(numbers(&page["events_before"])[..2], [0, -1], "{page}");
    assert_eq!(page["events_before"][1]["state_key"], BOB);
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/messages?dir=b")).await;
    assert_eq!(numbers(&page["chunk"])[..3], [2, 0, -1], "{page}");
    for path in ["event", "context"] {
        assert_eq!(world.get(&format!("{V3}/rooms/{ROOM}/{path}/{}", ids[2])).await.0.as_u16(), 200);
        assert_error(&world.get(&format!("{V3}/rooms/{ROOM}/{path}/{}", ids[1])).await, 404, "M_NOT_FOUND");
    }
    let last = world.get(&format!("{V1}/rooms/{ROOM}/timestamp_to_event?ts={}&dir=b", i64::MAX)).await.1;
    assert_eq!(last["event_id"], json!(ids[2]));
    let joined = page["chunk"].as_array().unwrap().iter().find(|event| event["state_key"] == BOB).unwrap();
    let joined = joined["event_id"].as_str().unwrap();
    assert_eq!(world.get(&format!("{V3}/rooms/{ROOM}/event/{joined}")).await.1["state_key"], BOB);
}

#[tokio::test]
async fn the_event_nearest_to_a_time_is_found_across_days() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    room.step = 40 * DAY;
    // Arrivals 3 to 6, days 120, 160, 200, 240.
    let ids = messages(&world, &mut room, 0..4).await;
    let at = async |ts: i64, dir: &str| world.get(&format!("{V1}/rooms/{ROOM}/timestamp_to_event?ts={ts}&dir={dir}")).await;
    let found = async |ts: i64, dir: &str| at(ts, dir).await.1["event_id"].as_str().map(str::to_owned);
    assert_eq!(at(130 * DAY, "f").await.1, json!({"event_id": ids[1], "origin_server_ts": 160 * DAY}));
    assert_eq!(found(160 * DAY, "f").await.as_ref(), Some(&ids[1]));
    assert_eq!(found(160 * DAY, "b").await.as_ref(), Some(&ids[1]));
    assert_eq!(found(160 * DAY - 1, "b").await.as_ref(), Some(&ids[0]));
    assert_eq!(found(160 * DAY + 1, "f").await.as_ref(), Some(&ids[2]));
    assert_eq!(found(i64::MAX, "b").await.as_ref(), Some(&ids[3]));
    assert_eq!(found(0, "f").await.as_deref(), Some("$e0"));
    assert_error(&at(240 * DAY + 1, "f").await, 404, "M_NOT_FOUND");
    assert_error(&at(-1, "b").await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn events_of_the_same_time_are_in_the_order_of_the_timeline() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    room.step = 0;
    let ids = messages(&world, &mut room, 0..3).await;
    let found = async |dir: &str| world.get(&format!("{V1}/rooms/{ROOM}/timestamp_to_event?ts=0&dir={dir}")).await.1;
    assert_eq!(found("f").await["event_id"], "$e0");
    assert_eq!(found("b").await["event_id"], json!(ids[2]));
}

#[tokio::test]
async fn a_request_that_cannot_be_has_the_specified_error() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let ids = messages(&world, &mut room, 0..1).await;
    let context = format!("{V3}/rooms/{ROOM}/context");
    assert_error(&world.get(&format!("{context}/$none")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{context}/{}?limit=x", ids[0])).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{context}/{}?filter=x", ids[0])).await, 400, "M_BAD_JSON");
    let time = format!("{V1}/rooms/{ROOM}/timestamp_to_event");
    assert_error(&world.get(&format!("{time}?dir=f")).await, 400, "M_MISSING_PARAM");
    assert_error(&world.get(&format!("{time}?ts=1")).await, 400, "M_MISSING_PARAM");
    assert_error(&world.get(&format!("{time}?ts=1&dir=x")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{time}?ts=x&dir=f")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn who_may_not_see_an_event_finds_it_neither_by_context_nor_by_time() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[BOB]).await;
    let shared = room.add(&world, "m.room.message", None, BOB, json!({"n": 0})).await;
    let context = async |id: &str| world.get(&format!("{V3}/rooms/{ROOM}/context/{id}")).await;
    let time = async |dir: &str| world.get(&format!("{V1}/rooms/{ROOM}/timestamp_to_event?ts=5&dir={dir}")).await;
    // Not a member.
    assert_error(&context(&shared).await, 403, "M_FORBIDDEN");
    assert_error(&context("$none").await, 403, "M_FORBIDDEN");
    assert_error(&time("f").await, 403, "M_FORBIDDEN");
    // A member who came after history was closed to whoever comes later.
    room.add(&world, "m.room.history_visibility", Some(""), BOB, json!({"history_visibility": "joined"})).await;
    let closed = room.add(&world, "m.room.message", None, BOB, json!({"n": 1})).await;
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "join"})).await;
    let seen = room.add(&world, "m.room.message", None, BOB, json!({"n": 2})).await;
    assert_error(&context(&closed).await, 404, "M_NOT_FOUND");
    let (_, page) = context(&seen).await;
    assert!(!page.to_string().contains(&format!("\"{closed}\"")), "{page}");
    assert_eq!(numbers(&page["events_before"]), [-1, -1, 0, -1, -1], "own join, visibility, shared history");
    let (_, first) = time("f").await;
    assert_eq!(first["origin_server_ts"], 5, "{first}");
    // Who has left sees nothing that came after.
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;
    let after = room.add(&world, "m.room.message", None, BOB, json!({"n": 3})).await;
    assert_error(&context(&after).await, 404, "M_NOT_FOUND");
    let (_, page) = context(&seen).await;
    assert_eq!(numbers(&page["events_after"]), [-1], "the leave alone");
    let by_time =
        answer(world.request(http::Method::GET, &format!("{V1}/rooms/{ROOM}/timestamp_to_event?ts=8&dir=f"), Some(ALICE_TOKEN)));
    assert_error(&by_time.await, 404, "M_NOT_FOUND");
}
