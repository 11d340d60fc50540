//! The extension `to_device`.

use std::time::Duration;

use banyan_sync::{error::SyncError, sliding::Request};
use serde_json::{Value, json};

use crate::{
    sliding::{ask, pos},
    world::World,
};

const BOB: &str = "@bob:x";

/// A wish for messages and nothing else.
fn wish(since: Option<&str>, limit: Option<u64>) -> Value {
    let mut wish = json!({"conn_id": "encryption", "extensions": {"to_device": {"enabled": true}}});
    let extension = &mut wish["extensions"]["to_device"];
    if let Some(since) = since {
        extension["since"] = json!(since);
    }
    if let Some(limit) = limit {
        extension["limit"] = json!(limit);
    }
    wish
}

fn told(body: &Value) -> Vec<u64> {
    let events = body["extensions"]["to_device"]["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["n"].as_u64().unwrap()).collect()
}

fn next(body: &Value) -> &str {
    body["extensions"]["to_device"]["next_batch"].as_str().unwrap()
}

#[tokio::test]
async fn a_message_comes_until_its_token_comes_back_whatever_the_position() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(BOB, None, &wish(None, None))).await;
    assert!(told(&first).is_empty());
    world.tell(BOB, &["D", "E"], 1).await;
    let request = |since: &str| ask(BOB, Some(pos(&first)), &wish(Some(since), None));
    let second = worker.slide(&world, request(next(&first))).await;
    assert_eq!(told(&second), [1]);
    assert_eq!(told(&worker.slide(&world, request(next(&first))).await), [1], "the response may have been lost");
    assert_eq!(told(&worker.slide(&world, ask(BOB, None, &wish(None, None))).await), [1], "a new connection tells what waits");
    assert!(world.acknowledged().await.is_empty());
    world.tell(BOB, &["D"], 2).await;
    let mut other = world.worker();
    other.begin_at_end(&world);
    let third = other.slide(&world, ask(BOB, None, &wish(Some(next(&second)), None))).await;
    assert_eq!(told(&third), [2], "the token goes on where it was, on a new connection too");
    assert_eq!(world.acknowledged().await.len(), 1);
    let last = worker.slide(&world, ask(BOB, None, &wish(Some(next(&third)), None))).await;
    assert_eq!((told(&last), world.acknowledged().await.len()), (vec![], 1));
    let device_e = Request { device: "E".into(), ..ask(BOB, None, &wish(None, None)) };
    assert_eq!(told(&worker.slide(&world, device_e).await), [1], "the other device has a queue of its own");
    assert!(told(&worker.slide(&world, ask(BOB, None, &wish(None, None))).await).is_empty());
}

#[tokio::test]
async fn as_many_as_are_wanted_at_a_time_and_none_unasked() {
    let mut world = World::new();
    let mut worker = world.worker();
    for n in 0..5 {
        world.tell(BOB, &["D"], n).await;
    }
    let body = worker.slide(&world, ask(BOB, None, &json!({"extensions": {"to_device": {"since": "0"}}}))).await;
    assert_eq!(body["extensions"], json!({}));
    let (mut all, mut since) = (Vec::new(), "0".to_owned());
    for expected in [2, 2, 1, 0] {
        let body = worker.slide(&world, ask(BOB, None, &wish(Some(&since), Some(2)))).await;
        assert_eq!(told(&body).len(), expected);
        all.extend(told(&body));
        since = next(&body).to_owned();
    }
    assert_eq!(all, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_and_one_from_the_future_takes_nothing_away() {
    let mut world = World::new();
    let mut worker = world.worker();
    for since in ["", "x", "-1", "1.5"] {
        let refused = worker.answer(ask(BOB, None, &wish(Some(since), None))).await;
        assert!(matches!(refused, Err(SyncError::Request(_))), "{since:?}");
    }
    world.tell(BOB, &["D"], 1).await;
    worker.slide(&world, ask(BOB, None, &wish(Some("18446744073709551615"), None))).await;
    world.tell(BOB, &["D"], 2).await;
    world.acknowledged().await;
    assert_eq!(told(&worker.slide(&world, ask(BOB, None, &wish(None, None))).await), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_message_wakes_the_device_that_asks_for_them() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(BOB, None, &wish(None, None))).await;
    let poll = |extensions: Value| {
        let mut body = wish(Some(next(&first)), None);
        body["extensions"] = extensions;
        let request = Request { timeout: Duration::from_secs(100), ..ask(BOB, Some(pos(&first)), &body) };
        let sliding = worker.sliding.clone();
        tokio::spawn(async move { crate::world::collect(async |sink| sliding.sync(request, sink).await).await })
    };
    let mine = poll(wish(Some(next(&first)), None)["extensions"].clone());
    let unasked = poll(json!({}));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!mine.is_finished());
    world.tell(BOB, &["D"], 7).await;
    worker.catch_up(&world);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!unasked.is_finished());
    assert_eq!(told(&mine.await.unwrap().unwrap()), [7]);
    assert_eq!(unasked.await.unwrap().unwrap()["extensions"], json!({}));
}
