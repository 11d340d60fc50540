//! Long polls.

use std::{sync::Arc, time::Duration};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessTokensRevoked, user_entry::Kind};
use banyan_sync::{error::SyncError, sliding::Request};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    rooms::member,
    sliding::{ask, list, pos, rooms, shown},
    world::{Worker, World, collect},
};

const ROOM: &str = "!room:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

async fn world() -> World {
    let mut world = World::new();
    for room in ["!other:x", ROOM] {
        world.create(room, ZOE).await;
        world.join(room, ME).await;
    }
    world
}

fn top() -> Value {
    list([0, 0], 3, &[])
}

fn poll(worker: &Worker, body: &Value, wish: &Value) -> JoinHandle<Result<Value, SyncError>> {
    let request = Request { timeout: Duration::from_secs(100), ..ask(ME, Some(pos(body)), wish) };
    let sliding = Arc::clone(&worker.sliding);
    tokio::spawn(async move { collect(async |sink| sliding.sync(request, sink).await).await })
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_concerns_the_connection_ends_a_poll() {
    let mut world = world().await;
    world.create("!strange:x", ZOE).await;
    let mut worker = world.worker();
    let wish = crate::sliding::subscription(ROOM, 3, &[]);
    let body = worker.slide(&world, ask(ME, None, &wish)).await;
    let waiting = poll(&worker, &body, &wish);
    settle().await;
    world.say("!strange:x", ZOE, "elsewhere").await;
    world.say("!other:x", ZOE, "not asked for").await;
    world.account_data(ME, "", "m.some", &json!({})).await;
    worker.catch_up(&world);
    settle().await;
    assert!(!waiting.is_finished());
    let said = world.say(ROOM, ZOE, "here").await;
    worker.catch_up(&world);
    assert_eq!(shown(&waiting.await.unwrap().unwrap(), ROOM), [said.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_comes_into_the_window_ends_a_poll() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &top())).await;
    assert_eq!(rooms(&body), [ROOM]);
    let waiting = poll(&worker, &body, &top());
    settle().await;
    world.say("!other:x", ZOE, "up").await;
    worker.catch_up(&world);
    assert_eq!(rooms(&waiting.await.unwrap().unwrap()), ["!other:x"]);
}

#[tokio::test(start_paused = true)]
async fn an_invite_ends_a_poll() {
    let mut world = world().await;
    world.create("!new:x", ZOE).await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &top())).await;
    let waiting = poll(&worker, &body, &top());
    settle().await;
    world.send("!new:x", ZOE, member(ME, "invite")).await;
    worker.catch_up(&world);
    assert_eq!(rooms(&waiting.await.unwrap().unwrap()), ["!new:x"]);
}

#[tokio::test(start_paused = true)]
async fn time_ends_a_poll_with_a_later_position_and_what_happened_before_it_comes_later() {
    let mut world = world().await;
    let mut worker = world.worker();
    let wish = crate::sliding::subscription(ROOM, 3, &[]);
    let both = list([0, 1], 3, &[]);
    let body = worker.slide(&world, ask(ME, None, &both)).await;
    let said = world.say("!other:x", ZOE, "not asked for").await;
    worker.catch_up(&world);
    let empty = poll(&worker, &body, &wish).await.unwrap().unwrap();
    assert_eq!(rooms(&empty), Vec::<&str>::new());
    let body = worker.slide(&world, ask(ME, Some(pos(&empty)), &both)).await;
    assert_eq!(shown(&body, "!other:x"), [said.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn logging_out_and_the_end_of_the_process_end_a_poll() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &top())).await;
    let waiting = poll(&worker, &body, &top());
    settle().await;
    world
        .append_user(
            ME,
            Kind::TokensRevoked(AccessTokensRevoked {
                token_hashes: vec![b"hash".as_slice().into()],
                ..AccessTokensRevoked::default()
            }),
        )
        .await;
    worker.catch_up(&world);
    let error = ServiceError::from(waiting.await.unwrap().unwrap_err());
    assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::Unauthenticated, Some("M_UNKNOWN_TOKEN")));
    let body = worker.slide(&world, ask(ME, None, &top())).await;
    let waiting = poll(&worker, &body, &top());
    settle().await;
    worker.syncs.drain();
    settle().await;
    assert!(waiting.is_finished() && waiting.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn too_many_at_a_time_are_sent_away() {
    let mut world = world().await;
    world.config.connections = 1;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &top())).await;
    let _waiting = poll(&worker, &body, &top());
    settle().await;
    let error = ServiceError::from(worker.answer(ask(ME, None, &top())).await.unwrap_err());
    assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::Overloaded, Some("M_LIMIT_EXCEEDED")));
}

#[tokio::test(start_paused = true)]
async fn a_worker_behind_a_position_catches_up_first() {
    let mut world = world().await;
    let mut ahead = world.worker();
    let body = ahead.slide(&world, ask(ME, None, &top())).await;
    let said = world.say(ROOM, ZOE, "new").await;
    let next = ahead.slide(&world, ask(ME, Some(pos(&body)), &top())).await;
    assert_eq!(shown(&next, ROOM), [said.as_str()]);
    let mut behind = world.worker();
    let waiting = poll(&behind, &next, &top());
    settle().await;
    assert!(!waiting.is_finished());
    behind.catch_up(&world);
    settle().await;
    assert!(!waiting.is_finished(), "there is nothing new");
    world.say(ROOM, ZOE, "newer").await;
    behind.catch_up(&world);
    assert_eq!(shown(&waiting.await.unwrap().unwrap(), ROOM).len(), 1);
}
