//! The extension `account_data`.

use serde_json::{Value, json};

use crate::{
    sliding::{ask, list, pos, subscription},
    world::World,
};

const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

async fn world() -> World {
    let mut world = World::new();
    for room in ["!1:x", "!2:x"] {
        world.create(room, ZOE).await;
        world.join(room, ME).await;
        world.account_data(ME, room, "m.tag", &json!({"tags": {}})).await;
    }
    world.account_data(ME, "", "m.some", &json!({"n": 1})).await;
    world
}

fn enabled(mut body: Value) -> Value {
    body["extensions"] = json!({"account_data": {"enabled": true}});
    body
}

fn kinds(events: &Value) -> Vec<&str> {
    events.as_array().into_iter().flatten().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn all_of_it_first_then_what_changes() {
    let mut world = world().await;
    let mut worker = world.worker();
    let wish = enabled(list([0, 9], 1, &[]));
    let body = worker.slide(&world, ask(ME, None, &wish)).await;
    let data = &body["extensions"]["account_data"];
    assert_eq!(kinds(&data["global"]), ["m.push_rules", "m.some"]);
    assert_eq!((kinds(&data["rooms"]["!1:x"]), kinds(&data["rooms"]["!2:x"])), (vec!["m.tag"], vec!["m.tag"]));
    let quiet = worker.slide(&world, ask(ME, Some(pos(&body)), &wish)).await;
    assert_eq!(quiet["extensions"], json!({}));
    world.account_data(ME, "", "m.some", &json!({"n": 2})).await;
    world.account_data(ME, "!1:x", "m.fully_read", &json!({})).await;
    for mut worker in [world.worker(), worker] {
        let next = worker.slide(&world, ask(ME, Some(pos(&quiet)), &wish)).await;
        let data = &next["extensions"]["account_data"];
        assert_eq!(data["global"], json!([{"type": "m.some", "content": {"n": 2}}]));
        assert_eq!(data["rooms"], json!({"!1:x": [{"type": "m.fully_read", "content": {}}]}));
    }
    let mut late = world.worker();
    late.begin_at_end(&world);
    let rows = late.slide(&world, ask(ME, Some(pos(&quiet)), &wish)).await;
    assert_eq!(rows["extensions"]["account_data"]["rooms"], json!({"!1:x": [{"type": "m.fully_read", "content": {}}]}));
}

#[tokio::test]
async fn not_without_asking_and_all_that_was_missed_when_asked() {
    let mut world = world().await;
    let mut worker = world.worker();
    let list = list([0, 9], 1, &[]);
    let body = worker.slide(&world, ask(ME, None, &enabled(list.clone()))).await;
    world.account_data(ME, "", "m.some", &json!({"n": 2})).await;
    world.account_data(ME, "!1:x", "m.fully_read", &json!({})).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &list)).await;
    assert_eq!(body["extensions"], json!({}));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &enabled(list))).await;
    let data = &body["extensions"]["account_data"];
    assert_eq!(kinds(&data["global"]), ["m.push_rules", "m.some"]);
    assert_eq!(kinds(&data["rooms"]["!1:x"]), ["m.fully_read", "m.tag"]);
    assert!(data["rooms"].get("!2:x").is_none());
}

#[tokio::test]
async fn a_room_that_was_out_of_sight_is_made_up_for() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &enabled(list([0, 9], 1, &[])))).await;
    world.account_data(ME, "!1:x", "m.fully_read", &json!({})).await;
    let narrow = enabled(list([0, 0], 1, &[]));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &narrow)).await;
    assert_eq!(body["extensions"], json!({}));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &enabled(subscription("!1:x", 1, &[])))).await;
    assert_eq!(kinds(&body["extensions"]["account_data"]["rooms"]["!1:x"]), ["m.fully_read", "m.tag"]);
}

#[tokio::test]
async fn lists_and_rooms_say_which() {
    let world = world().await;
    let mut wish = list([0, 0], 1, &[]);
    wish["room_subscriptions"] = json!({"!1:x": {"timeline_limit": 1}});
    for (scope, told) in [
        (json!({"enabled": true}), vec!["!1:x", "!2:x"]),
        (json!({"enabled": true, "lists": ["*"], "rooms": []}), vec!["!2:x"]),
        (json!({"enabled": true, "lists": ["b"]}), vec!["!1:x"]),
        (json!({"enabled": true, "lists": [], "rooms": ["!2:x"]}), vec![]),
        (json!({"enabled": false}), vec![]),
    ] {
        wish["extensions"] = json!({"account_data": scope});
        let body = world.worker().slide(&world, ask(ME, None, &wish)).await;
        let rooms = body["extensions"]["account_data"]["rooms"].as_object();
        let rooms: Vec<&str> = rooms.into_iter().flat_map(|rooms| rooms.keys().map(String::as_str)).collect();
        assert_eq!(rooms, told, "{wish}");
    }
}
