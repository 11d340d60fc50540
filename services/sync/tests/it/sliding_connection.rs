//! Positions and the rows behind them.

use std::time::Duration;

use banyan_core::{ErrorCode, ServiceError};
use banyan_sync::sliding::Request;
use ruma::OwnedDeviceId;
use serde_json::{Value, json};

use crate::{
    sliding::{ask, list, pos, rooms, shown},
    world::{Worker, World},
};

const ROOM: &str = "!room:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    world
}

fn all() -> Value {
    list([0, 9], 3, &[["m.room.member", "$LAZY"]])
}

async fn unknown(worker: &Worker, request: Request) {
    let error = ServiceError::from(worker.answer(request).await.unwrap_err());
    assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::InvalidArgument, Some("M_UNKNOWN_POS")));
}

/// The row of a position.
fn row(pos: &str) -> &str {
    &pos[pos.find('.').unwrap()..]
}

#[tokio::test]
async fn a_position_belongs_to_its_connection() {
    let world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all())).await;
    let position = Some(pos(&body));
    let mut named = all();
    named["conn_id"] = json!("other");
    unknown(&worker, ask(ME, position, &named)).await;
    unknown(&worker, ask(ZOE, position, &all())).await;
    unknown(&worker, Request { device: OwnedDeviceId::from("E"), ..ask(ME, position, &all()) }).await;
    for wrong in ["nonsense", "s1", "p0.1.x"] {
        unknown(&worker, ask(ME, Some(wrong), &all())).await;
    }
    assert!(worker.answer(ask(ME, position, &all())).await.is_ok());
}

#[tokio::test]
async fn the_last_two_positions_are_kept_and_no_more() {
    let mut world = world().await;
    let mut worker = world.worker();
    let mut told = vec![worker.slide(&world, ask(ME, None, &all())).await];
    for user in ["@a:x", "@b:x"] {
        world.join(ROOM, user).await;
        let body = worker.slide(&world, ask(ME, Some(pos(told.last().unwrap())), &all())).await;
        told.push(body);
    }
    unknown(&worker, ask(ME, Some(pos(&told[0])), &all())).await;
    // A repeated position yields what it did, and goes on from there.
    let again = worker.slide(&world, ask(ME, Some(pos(&told[1])), &all())).await;
    assert_eq!(again["rooms"], told[2]["rooms"]);
    unknown(&worker, ask(ME, Some(pos(&told[2])), &all())).await;
    assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(pos(&again)), &all())).await), Vec::<&str>::new());
}

#[tokio::test]
async fn any_worker_serves_any_position_whatever_its_clock_says() {
    let mut world = world().await;
    let mut position = pos(&world.worker().slide(&world, ask(ME, None, &all())).await).to_owned();
    for n in 0..4 {
        let said = world.join(ROOM, &format!("@new{n}:x")).await;
        let mut late = world.worker();
        late.begin_at_end(&world);
        let body = late.slide(&world, ask(ME, Some(&position), &all())).await;
        assert_eq!(shown(&body, ROOM), [said.as_str()]);
        let told: Vec<&str> = position.split('.').collect();
        assert_ne!(row(&position), row(pos(&body)), "{told:?}");
        position = pos(&body).to_owned();
    }
}

#[tokio::test]
async fn a_week_ends_a_position() {
    let world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all())).await;
    world.clock.advance(Duration::from_secs(6 * 24 * 3600));
    let next = worker.slide(&world, ask(ME, Some(pos(&body)), &all())).await;
    // It was written anew, for it was old.
    assert_ne!(row(pos(&body)), row(pos(&next)));
    world.clock.advance(Duration::from_secs(6 * 24 * 3600));
    let next = worker.slide(&world, ask(ME, Some(pos(&next)), &all())).await;
    world.clock.advance(Duration::from_secs(8 * 24 * 3600));
    unknown(&worker, ask(ME, Some(pos(&next)), &all())).await;
}

#[tokio::test]
async fn nothing_is_written_where_the_connection_is_the_same() {
    let mut world = world().await;
    world.create("!other:x", ZOE).await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all())).await;
    let empty = worker.slide(&world, ask(ME, Some(pos(&body)), &all())).await;
    world.say("!other:x", ZOE, "elsewhere").await;
    let later = worker.slide(&world, ask(ME, Some(pos(&empty)), &all())).await;
    assert_ne!(pos(&empty), pos(&later));
    // Nor for an event by somebody the client knows, which comes again from the position before.
    let said = world.say(ROOM, ZOE, "here").await;
    let told = worker.slide(&world, ask(ME, Some(pos(&later)), &all())).await;
    let again = worker.slide(&world, ask(ME, Some(pos(&later)), &all())).await;
    for told in [&told, &again] {
        assert_eq!((row(pos(told)), shown(told, ROOM)), (row(pos(&body)), vec![said.as_str()]));
    }
    assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(pos(&told)), &all())).await), Vec::<&str>::new());
}

#[tokio::test]
async fn connections_are_apart_and_a_new_one_of_the_name_begins_anew() {
    let mut world = world().await;
    let mut worker = world.worker();
    let (mut one, mut two) = (all(), all());
    (one["conn_id"], two["conn_id"]) = (json!("one"), json!("two"));
    let first = worker.slide(&world, ask(ME, None, &one)).await;
    let second = worker.slide(&world, ask(ME, None, &two)).await;
    assert_eq!((rooms(&first), rooms(&second)), (vec![ROOM], vec![ROOM]));
    world.join(ROOM, "@a:x").await;
    for (body, position) in [(&one, pos(&first)), (&two, pos(&second))] {
        assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(position), body)).await), [ROOM]);
    }
    let anew = worker.slide(&world, ask(ME, None, &one)).await;
    assert_eq!(anew["rooms"][ROOM]["initial"], true);
    unknown(&worker, ask(ME, Some(pos(&first)), &one)).await;
}

#[tokio::test]
async fn a_device_has_so_many_connections_and_the_oldest_goes() {
    let world = world().await;
    let mut worker = world.worker();
    let named = |n: usize| {
        let mut body = all();
        body["conn_id"] = json!(n.to_string());
        body
    };
    let mut positions = Vec::new();
    for n in 0..17 {
        world.clock.advance(Duration::from_millis(1));
        positions.push(pos(&worker.slide(&world, ask(ME, None, &named(n))).await).to_owned());
    }
    unknown(&worker, ask(ME, Some(&positions[0]), &named(0))).await;
    assert!(worker.answer(ask(ME, Some(&positions[1]), &named(1))).await.is_ok());
}
