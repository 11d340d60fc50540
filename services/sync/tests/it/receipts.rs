//! Receipts in syncs.

use std::time::Duration;

use banyan_proto::rooms::{Receipt, Receipts, RoomEntry, room_entry::Kind};
use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::world::{Worker, World, request, since, sync, token};

const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";
const ROOM: &str = "!r:x";

/// Type, thread and event of a receipt.
type Read<'a> = (&'a str, &'a str, &'a str);

impl World {
    /// Writes receipts as the roomserver would: each user's public ones in the order of `slot`.
    pub(crate) async fn read(&mut self, user: &str, slot: u32, receipts: &[Read<'_>]) {
        let receipt = |(index, (kind, thread, event)): (usize, &Read<'_>)| Receipt {
            user_id: user.to_owned(),
            receipt_type: (*kind).to_owned(),
            thread_id: (*thread).to_owned(),
            event_id: (*event).to_owned(),
            ts: 7,
            slot: slot + u32::try_from(index).unwrap(),
            ..Receipt::default()
        };
        let kind = Some(Kind::Receipts(Receipts { receipts: receipts.iter().enumerate().map(receipt).collect() }));
        self.append_room(RoomEntry { room_id: ROOM.to_owned(), kind, ..RoomEntry::default() }).await;
    }
}

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

/// The contents of the room's receipts, in the order of their threads.
fn told(body: &Value) -> Vec<Value> {
    let events = body["rooms"]["join"][ROOM]["ephemeral"]["events"].as_array().cloned().unwrap_or_default();
    assert!(events.iter().all(|event| event["type"] == "m.receipt" && event.as_object().unwrap().len() == 2));
    events.into_iter().map(|event| event["content"].clone()).collect()
}

fn with_filter(filter: &Value, request: Request) -> Request {
    Request { filter: filter.to_string().into(), ..request }
}

/// A worker that has no tail.
fn late(world: &World) -> Worker {
    let mut late = world.worker();
    late.begin_at_end(world);
    late
}

#[tokio::test]
async fn what_moved_is_told_once_and_again_to_who_repeats() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.read(ALICE, 0, &[("m.read", "", "$1")]).await;
    world.read(ALICE, 0, &[("m.read", "", "$2")]).await;
    let expected = [json!({"$2": {"m.read": {ALICE: {"ts": 7}}}})];
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(told(&body), expected);
    assert!(body["rooms"]["join"][ROOM]["timeline"]["events"].as_array().unwrap().is_empty());
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), expected, "the response may have been lost");
    let second = token(&body).to_owned();
    assert_eq!(worker.sync(&world, since(BOB, &second)).await["rooms"]["join"], json!({}));
    // The rows say the same to a worker without a tail, and to who begins.
    assert_eq!(told(&late(&world).sync(&world, since(BOB, &first)).await), expected);
    assert_eq!(late(&world).sync(&world, since(BOB, &second)).await["rooms"]["join"], json!({}));
    assert_eq!(told(&worker.sync(&world, request(BOB)).await), expected);
}

#[tokio::test]
async fn each_thread_has_an_event_of_its_own() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.read(ALICE, 0, &[("m.read", "", "$1"), ("m.read", "main", "$1"), ("m.read", "$root", "$1")]).await;
    let in_thread = |data: Value| json!({"$1": {"m.read": {ALICE: data}}});
    let expected = [
        in_thread(json!({"ts": 7})),
        in_thread(json!({"ts": 7, "thread_id": "$root"})),
        in_thread(json!({"ts": 7, "thread_id": "main"})),
    ];
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), expected);
    assert_eq!(told(&late(&world).sync(&world, request(BOB)).await), expected);
}

#[tokio::test]
async fn a_private_receipt_is_told_to_its_user_alone() {
    let mut world = world().await;
    let mut worker = world.worker();
    let before: Vec<String> = [token(&worker.sync(&world, request(ALICE)).await), token(&worker.sync(&world, request(BOB)).await)]
        .map(str::to_owned)
        .into();
    world.read(ALICE, 0, &[("m.read.private", "", "$1")]).await;
    let expected = [json!({"$1": {"m.read.private": {ALICE: {"ts": 7}}}})];
    for asked in [since(ALICE, &before[0]), request(ALICE)] {
        assert_eq!(told(&worker.sync(&world, asked.clone()).await), expected);
        assert_eq!(told(&late(&world).sync(&world, asked).await), expected);
    }
    for asked in [since(BOB, &before[1]), request(BOB)] {
        assert!(told(&worker.sync(&world, asked.clone()).await).is_empty());
        assert!(told(&late(&world).sync(&world, asked).await).is_empty());
    }
}

#[tokio::test]
async fn a_large_room_tells_the_newest_and_ones_own() {
    let mut world = world().await;
    world.read(BOB, 0, &[("m.read", "", "$old")]).await;
    for n in 0..600 {
        world.read(&format!("@user{n}:x"), n % 500, &[("m.read", "", "$new")]).await;
    }
    let body = late(&world).sync(&world, request(BOB)).await;
    let told = told(&body);
    assert_eq!(told[0]["$old"], json!({"m.read": {BOB: {"ts": 7}}}));
    let users = told[0]["$new"]["m.read"].as_object().unwrap();
    assert_eq!(users.len(), 500);
    assert!(users.contains_key("@user599:x") && !users.contains_key("@user99:x"));
}

#[tokio::test]
async fn whom_one_ignores_and_what_the_filter_leaves_out_is_not_told() {
    let mut world = world().await;
    world.account_data(BOB, "", "m.ignored_user_list", &json!({"ignored_users": {ALICE: {}}})).await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.read(ALICE, 0, &[("m.read", "", "$1")]).await;
    assert!(told(&worker.sync(&world, since(BOB, &first)).await).is_empty());
    world.read(BOB, 1, &[("m.read", "", "$1")]).await;
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), [json!({"$1": {"m.read": {BOB: {"ts": 7}}}})]);
    for ephemeral in [json!({"types": ["m.typing"]}), json!({"not_types": ["m.rec*"]}), json!({"not_rooms": [ROOM]})] {
        let filter = json!({"room": {"ephemeral": ephemeral}});
        assert!(told(&worker.sync(&world, with_filter(&filter, since(BOB, &first))).await).is_empty(), "{filter}");
        assert!(told(&worker.sync(&world, with_filter(&filter, request(BOB))).await).is_empty(), "{filter}");
    }
}

#[tokio::test]
async fn who_joins_is_told_those_of_before() {
    let mut world = world().await;
    let mut worker = world.worker();
    let carol = "@carol:x";
    let first = token(&worker.sync(&world, request(carol)).await).to_owned();
    world.read(ALICE, 0, &[("m.read", "", "$1")]).await;
    assert_eq!(worker.sync(&world, since(carol, &first)).await["rooms"]["join"], json!({}));
    world.join(ROOM, carol).await;
    assert_eq!(told(&worker.sync(&world, since(carol, &first)).await).len(), 1);
    // Who left is told nothing any more.
    let second = token(&worker.sync(&world, since(carol, &first)).await).to_owned();
    world.send(ROOM, carol, crate::rooms::member(carol, "leave")).await;
    world.read(BOB, 1, &[("m.read", "", "$1")]).await;
    let body = worker.sync(&world, since(carol, &second)).await;
    assert!(body["rooms"]["leave"][ROOM].is_object() && body["rooms"]["leave"][ROOM].get("ephemeral").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_receipt_wakes_those_who_are_told_of_it() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let poll = |user: &str| {
        let syncs = worker.syncs.clone();
        let token = banyan_rooms::stream_token::StreamToken { user: worker.tails.position(user).user, ..first.parse().unwrap() };
        let poll = Request { timeout: Duration::from_secs(100), ..since(user, &token.to_string()) };
        tokio::spawn(async move { sync(&syncs, poll).await })
    };
    let (alice, bob) = (poll(ALICE), poll(BOB));
    let settle = async || {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    };
    settle().await;
    world.read(ALICE, 0, &[("m.read.private", "", "$1")]).await;
    worker.catch_up(&world);
    settle().await;
    assert!(alice.is_finished() && !bob.is_finished());
    world.read(ALICE, 0, &[("m.read", "", "$1")]).await;
    worker.catch_up(&world);
    assert_eq!(told(&bob.await.unwrap().unwrap()).len(), 1);
    assert_eq!(told(&alice.await.unwrap().unwrap()).len(), 1);
}
