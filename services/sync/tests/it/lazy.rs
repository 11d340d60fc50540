//! Lazily loaded members.

use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::{
    rooms::{member, state as set},
    world::{World, request, since, token},
};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";

fn lazy(request: Request) -> Request {
    Request { filter: r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}}"#.into(), ..request }
}

fn members(body: &Value) -> Vec<String> {
    let state = body["rooms"]["join"][ROOM]["state"]["events"].as_array();
    let members = state.into_iter().flatten().filter(|event| event["type"] == "m.room.member");
    let mut members: Vec<String> = members.map(|event| event["state_key"].as_str().unwrap().to_owned()).collect();
    members.sort();
    members
}

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "n"}))).await;
    for user in [BOB, "@carol:x", "@dora:x", "@emil:x"] {
        world.join(ROOM, user).await;
    }
    for _ in 0..3 {
        world.say(ROOM, "@carol:x", "la").await;
    }
    world
}

#[tokio::test]
async fn senders_and_the_reader_come_and_a_known_sender_comes_not_again() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.sync(&world, lazy(request(BOB))).await;
    assert_eq!(members(&body), [BOB, "@carol:x"]);
    let first = token(&body).to_owned();
    world.say(ROOM, "@carol:x", "known").await;
    world.say(ROOM, "@dora:x", "new").await;
    let body = worker.sync(&world, lazy(since(BOB, &first))).await;
    assert_eq!(members(&body), ["@dora:x"]);
    // That response was lost: the token comes again, and so does dora.
    let body = worker.sync(&world, lazy(since(BOB, &first))).await;
    assert_eq!(members(&body), ["@dora:x"]);
    let second = token(&body).to_owned();
    world.say(ROOM, "@dora:x", "known too").await;
    assert_eq!(members(&worker.sync(&world, lazy(since(BOB, &second))).await), Vec::<String>::new());
    // Another worker remembers nothing and sends again.
    assert_eq!(members(&world.worker().sync(&world, lazy(since(BOB, &second))).await), ["@dora:x"]);
    let redundant = r#"{"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}}"#;
    let request = Request { filter: redundant.into(), ..since(BOB, &second) };
    assert_eq!(members(&worker.sync(&world, request).await), ["@dora:x"]);
}

#[tokio::test]
async fn members_who_changed_in_a_hole_come_though_they_are_silent() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, lazy(request(BOB))).await).to_owned();
    world.send(ROOM, "@emil:x", set("m.room.member", "@emil:x", json!({"membership": "join", "displayname": "E"}))).await;
    for _ in 0..3 {
        world.say(ROOM, "@carol:x", "la").await;
    }
    let body = worker.sync(&world, lazy(since(BOB, &first))).await;
    assert_eq!(members(&body), ["@emil:x"]);
}

#[tokio::test]
async fn a_sender_who_renames_themselves_after_speaking_comes_with_the_old_name() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, lazy(request(BOB))).await).to_owned();
    world.say(ROOM, "@dora:x", "before").await;
    world.send(ROOM, "@dora:x", set("m.room.member", "@dora:x", json!({"membership": "join", "displayname": "D"}))).await;
    let body = worker.sync(&world, lazy(since(BOB, &first))).await;
    assert_eq!(members(&body), ["@dora:x"]);
    assert!(body["rooms"]["join"][ROOM]["state"]["events"][0]["content"].get("displayname").is_none());
}

#[tokio::test]
async fn heroes_come_with_their_member_events() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    for user in [BOB, "@carol:x", "@dora:x"] {
        world.join(ROOM, user).await;
    }
    for _ in 0..3 {
        world.say(ROOM, BOB, "la").await;
    }
    let body = world.worker().sync(&world, lazy(request(BOB))).await;
    assert_eq!(body["rooms"]["join"][ROOM]["summary"]["m.heroes"], json!([ALICE, "@carol:x", "@dora:x"]));
    assert_eq!(members(&body), [ALICE, BOB, "@carol:x", "@dora:x"]);
}

#[tokio::test]
async fn what_was_known_of_members_before_the_reader_was_away_counts_no_more() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.sync(&world, lazy(request(BOB))).await;
    assert!(members(&body).contains(&"@carol:x".to_owned()));
    let first = token(&body).to_owned();
    world.send(ROOM, BOB, member(BOB, "leave")).await;
    world.send(ROOM, "@carol:x", set("m.room.member", "@carol:x", json!({"membership": "join", "displayname": "C"}))).await;
    world.join(ROOM, BOB).await;
    for _ in 0..2 {
        world.say(ROOM, ALICE, "la").await;
    }
    let body = worker.sync(&world, lazy(since(BOB, &first))).await;
    assert_eq!(members(&body), [ALICE, BOB]);
    let second = token(&body).to_owned();
    world.say(ROOM, "@carol:x", "la").await;
    let body = worker.sync(&world, lazy(since(BOB, &second))).await;
    assert_eq!(members(&body), ["@carol:x"]);
    assert_eq!(body["rooms"]["join"][ROOM]["state"]["events"][0]["content"]["displayname"], "C");
}
