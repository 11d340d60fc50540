//! Long polls.

use std::{sync::Arc, time::Duration};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessTokensRevoked, Account, DeviceChanged, user_entry::Kind};
use banyan_sync::app::sync::Request;
use futures::future::join_all;
use serde_json::json;

use crate::world::{World, request, since, sync, timeline, token};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";
const LONG: Duration = Duration::from_secs(100);

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

fn poll(user: &str, token: &str) -> Request {
    Request { timeout: LONG, ..since(user, token) }
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_ends_with_a_message_and_not_before() {
    let mut world = world().await;
    world.create("!other:x", "@zoe:x").await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let syncs = worker.syncs.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, poll(BOB, &first)).await });
    settle().await;
    world.say("!other:x", "@zoe:x", "elsewhere").await;
    worker.catch_up(&world);
    settle().await;
    assert!(!waiting.is_finished());
    let said = world.say(ROOM, ALICE, "here").await;
    worker.catch_up(&world);
    let body = waiting.await.unwrap().unwrap();
    assert_eq!(timeline(&body, "join", ROOM), [said.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_news_ends_empty_with_a_later_token() {
    let mut world = world().await;
    world.create("!other:x", "@zoe:x").await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.say("!other:x", "@zoe:x", "elsewhere").await;
    worker.catch_up(&world);
    let body = sync(&worker.syncs, poll(BOB, &first)).await.unwrap();
    assert_eq!(body["rooms"]["join"], json!({}));
    assert_ne!(token(&body), first);
}

#[tokio::test(start_paused = true)]
async fn an_invite_account_data_and_a_device_of_ones_own_wake() {
    let mut world = world().await;
    let mut worker = world.worker();
    for n in 0..2 {
        let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
        let syncs = worker.syncs.clone();
        let waiting = tokio::spawn(async move { sync(&syncs, poll("@carol:x", &first)).await });
        settle().await;
        assert!(!waiting.is_finished());
        if n == 0 {
            world.send(ROOM, ALICE, crate::rooms::member("@carol:x", "invite")).await;
        } else {
            world.account_data("@carol:x", "", "m.direct", &json!({})).await;
        }
        worker.catch_up(&world);
        assert!(waiting.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_redaction_without_its_event_wakes_nobody_and_a_filtered_event_is_no_answer() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let syncs = worker.syncs.clone();
    let deaf = Request { filter: r#"{"room":{"timeline":{"types":["m.room.name"]}}}"#.into(), ..poll(BOB, &first) };
    let waiting = tokio::spawn(async move { sync(&syncs, deaf).await });
    settle().await;
    let said = world.say(ROOM, ALICE, "unheard").await;
    world.redact(ROOM, ALICE, &said).await;
    worker.catch_up(&world);
    settle().await;
    assert!(!waiting.is_finished());
    let body = waiting.await.unwrap().unwrap();
    assert_eq!(body["rooms"]["join"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn logging_out_ends_the_poll() {
    let revoked = |hash: &'static [u8]| {
        Kind::TokensRevoked(AccessTokensRevoked { token_hashes: vec![hash.into()], ..AccessTokensRevoked::default() })
    };
    let gone = Kind::Device(DeviceChanged { device_id: "D".to_owned(), device: None });
    for end in [revoked(b"hash"), gone] {
        let mut world = world().await;
        let mut worker = world.worker();
        let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
        let syncs = worker.syncs.clone();
        let waiting = tokio::spawn(async move { sync(&syncs, poll(BOB, &first)).await });
        settle().await;
        world.append_user(BOB, revoked(b"another")).await;
        worker.catch_up(&world);
        settle().await;
        assert!(!waiting.is_finished());
        world.append_user(BOB, end).await;
        worker.catch_up(&world);
        let error = ServiceError::from(waiting.await.unwrap().unwrap_err());
        assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::Unauthenticated, Some("M_UNKNOWN_TOKEN")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_ends_the_poll_and_no_longer_than_it_lasts() {
    let account = |locked| Kind::Account(Account { locked, ..Account::default() });
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let (syncs, since) = (worker.syncs.clone(), first.clone());
    let waiting = tokio::spawn(async move { sync(&syncs, poll(BOB, &since)).await });
    settle().await;
    assert!(!waiting.is_finished());
    world.append_user(BOB, account(true)).await;
    worker.catch_up(&world);
    let error = ServiceError::from(waiting.await.unwrap().unwrap_err());
    assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::Unauthenticated, Some("M_USER_LOCKED")));
    assert_eq!(error.extra.as_deref(), Some(r#"{"soft_logout":true}"#));
    world.append_user(BOB, account(false)).await;
    worker.catch_up(&world);
    sync(&worker.syncs, poll(BOB, &first)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_behind_a_token_catches_up_first() {
    let mut world = world().await;
    let mut ahead = world.worker();
    let mut behind = world.worker();
    behind.catch_up(&world);
    world.say(ROOM, ALICE, "hi").await;
    let first = token(&ahead.sync(&world, request(BOB)).await).to_owned();
    let syncs = behind.syncs.clone();
    let again = first.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, since(BOB, &again)).await });
    settle().await;
    assert!(!waiting.is_finished());
    behind.catch_up(&world);
    assert_eq!(waiting.await.unwrap().unwrap()["rooms"]["join"], json!({}));
    // One that cannot says so, and does not answer from the past.
    let stuck = world.worker();
    let error = ServiceError::from(sync(&stuck.syncs, since(BOB, &first)).await.unwrap_err());
    assert_eq!(error.code, ErrorCode::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn rows_ahead_of_the_tails_are_waited_for() {
    let world = world().await;
    let mut worker = world.worker();
    let syncs = worker.syncs.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, request(BOB)).await });
    settle().await;
    assert!(!waiting.is_finished());
    worker.catch_up(&world);
    assert_eq!(timeline(&waiting.await.unwrap().unwrap(), "join", ROOM).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_a_log_is_survived() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let syncs = worker.syncs.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, poll(BOB, &first)).await });
    settle().await;
    let said = world.say(ROOM, ALICE, "missed").await;
    worker.begin_at_end(&world);
    let body = waiting.await.unwrap().unwrap();
    assert_eq!(timeline(&body, "join", ROOM), [said.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_draining_worker_lets_its_polls_go() {
    let world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let syncs = worker.syncs.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, poll(BOB, &first)).await });
    settle().await;
    worker.syncs.drain();
    settle().await;
    assert!(waiting.is_finished());
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_thousand_polls_wake_with_one_message() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    let users: Vec<String> = (0..1_000).map(|n| format!("@user{n}:x")).collect();
    for user in &users {
        world.join(ROOM, user).await;
    }
    let mut worker = world.worker();
    worker.catch_up(&world);
    let first = worker.tails.position(&users[0]);
    let polls = users.iter().map(|user| {
        let syncs = Arc::clone(&worker.syncs);
        let token = banyan_rooms::stream_token::StreamToken { user: worker.tails.position(user).user, ..first.clone() };
        let request = poll(user, &token.to_string());
        tokio::spawn(async move { sync(&syncs, request).await })
    });
    let polls: Vec<_> = polls.collect();
    settle().await;
    settle().await;
    assert!(polls.iter().all(|poll| !poll.is_finished()));
    let said = world.say(ROOM, ALICE, "all").await;
    worker.catch_up(&world);
    for body in join_all(polls).await {
        assert_eq!(timeline(&body.unwrap().unwrap(), "join", ROOM), [said.as_str()]);
    }
}
