//! The extension `typing`.

use serde_json::{Value, json};

use crate::{
    sliding::{ask, list, pos, rooms},
    typing::{RoomOwner, asked},
    world::World,
};

const ROOM: &str = "!r:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";
const ANN: &str = "@ann:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    world
}

fn wish(scope: &Value) -> Value {
    let mut body = list([0, 9], 1, &[]);
    body["extensions"] = json!({"typing": scope});
    body
}

fn everywhere() -> Value {
    wish(&json!({"enabled": true}))
}

/// Who is said to type; `None`: nothing is said.
fn told(body: &Value) -> Option<&Value> {
    let event = body["extensions"]["typing"]["rooms"].get(ROOM)?;
    assert_eq!(event["type"], "m.typing");
    Some(&event["content"]["user_ids"])
}

#[tokio::test]
async fn who_types_is_told_once_and_until_they_stop() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    owner.tell(&world, &worker, &[ZOE]);
    let first = worker.slide(&world, ask(ME, None, &everywhere())).await;
    assert_eq!(told(&first), Some(&json!([ZOE])));
    let quiet = worker.slide(&world, ask(ME, Some(pos(&first)), &everywhere())).await;
    assert_eq!(quiet["extensions"], json!({}));
    owner.tell(&world, &worker, &[ANN, ZOE]);
    let more = worker.slide(&world, ask(ME, Some(pos(&quiet)), &everywhere())).await;
    assert_eq!((told(&more), rooms(&more)), (Some(&json!([ANN, ZOE])), vec![]));
    assert_eq!(told(&worker.slide(&world, ask(ME, Some(pos(&quiet)), &everywhere())).await), told(&more), "it may be lost");
    let mut other = world.worker();
    let unknown = other.slide(&world, ask(ME, Some(pos(&more)), &everywhere())).await;
    assert_eq!(unknown["extensions"], json!({}), "it does not know");
    owner.types(&world, &[]);
    owner.answers(&world, &other);
    let over = other.slide(&world, ask(ME, Some(pos(&unknown)), &everywhere())).await;
    assert_eq!(told(&over), Some(&json!([])));
}

#[tokio::test]
async fn only_where_it_is_asked_for_and_what_was_missed_comes_then() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    owner.tell(&world, &worker, &[ZOE]);
    let silent = [
        list([0, 9], 1, &[]),
        wish(&json!({"enabled": false})),
        wish(&json!({})),
        wish(&json!({"enabled": true, "lists": ["other"]})),
        wish(&json!({"enabled": true, "lists": []})),
    ];
    for body in &silent {
        let answer = worker.slide(&world, ask(ME, None, body)).await;
        assert_eq!(answer["extensions"], json!({}), "{body}");
        let answer = worker.slide(&world, ask(ME, Some(pos(&answer)), &everywhere())).await;
        assert_eq!(told(&answer), Some(&json!([ZOE])), "{body}");
        owner.tell(&world, &worker, &[]);
        let answer = worker.slide(&world, ask(ME, Some(pos(&answer)), body)).await;
        assert_eq!(answer["extensions"], json!({}), "{body}");
        let answer = worker.slide(&world, ask(ME, Some(pos(&answer)), &everywhere())).await;
        assert_eq!(told(&answer), Some(&json!([])), "{body}");
        owner.tell(&world, &worker, &[ZOE]);
    }
}
