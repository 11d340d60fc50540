//! Required state and lazily loaded members.

use serde_json::{Value, json};

use crate::{
    rooms::{member, state as set},
    sliding::{ask, keys, list, members, pos, rooms},
    world::World,
};

const ROOM: &str = "!room:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";
const LAZY: [&str; 2] = ["m.room.member", "$LAZY"];

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    for user in ["@a:x", "@b:x", "@c:x"] {
        world.join(ROOM, user).await;
    }
    world.send(ROOM, ZOE, set("m.room.topic", "", json!({"topic": "t"}))).await;
    world
}

fn all(limit: u64, state: &[[&str; 2]]) -> Value {
    list([0, 9], limit, state)
}

fn key(kind: &str, key: &str) -> (String, String) {
    (kind.to_owned(), key.to_owned())
}

#[tokio::test]
async fn exactly_what_is_asked_for() {
    let world = world().await;
    let mut worker = world.worker();
    for (state, expected) in [
        (vec![], vec![]),
        (vec![["m.room.topic", ""], ["m.room.name", ""]], vec![key("m.room.topic", "")]),
        (vec![["m.room.member", "$ME"], ["m.room.member", "@a:x"]], vec![key("m.room.member", "@a:x"), key("m.room.member", ME)]),
        (vec![["*", ""]], vec![key("m.room.create", ""), key("m.room.join_rules", ""), key("m.room.topic", "")]),
        (vec![["*", "@a:x"]], vec![key("m.room.member", "@a:x")]),
    ] {
        let body = worker.slide(&world, ask(ME, None, &all(0, &state))).await;
        assert_eq!(keys(&body, ROOM), expected, "{state:?}");
    }
    let body = worker.slide(&world, ask(ME, None, &all(0, &[["m.room.member", "*"]]))).await;
    assert_eq!(members(&body, ROOM).len(), 5);
    let body = worker.slide(&world, ask(ME, None, &all(0, &[["*", "*"]]))).await;
    assert_eq!(keys(&body, ROOM).len(), 8);
    let body = worker.slide(&world, ask(ME, None, &all(0, &[["*", "*"], LAZY]))).await;
    assert_eq!(keys(&body, ROOM).len(), 3);
}

#[tokio::test]
async fn changes_of_what_is_asked_for() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = all(0, &[["m.room.topic", ""], ["m.room.member", "@a:x"]]);
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    world.send(ROOM, ZOE, set("m.room.name", "", json!({"name": "n"}))).await;
    world.send(ROOM, "@a:x", member("@a:x", "leave")).await;
    world.send(ROOM, "@b:x", member("@b:x", "leave")).await;
    let next = worker.slide(&world, ask(ME, Some(pos(&first)), &body)).await;
    assert_eq!(keys(&next, ROOM), [key("m.room.member", "@a:x")]);
}

#[tokio::test]
async fn more_state_is_told_at_once_and_what_was_not_asked_for_meanwhile_again() {
    let mut world = world().await;
    let mut worker = world.worker();
    let (topic, both) = ([["m.room.topic", ""]], [["m.room.topic", ""], ["m.room.create", ""]]);
    let body = worker.slide(&world, ask(ME, None, &all(1, &topic))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &both))).await;
    assert_eq!(keys(&body, ROOM), [key("m.room.create", "")]);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &both))).await;
    assert_eq!(rooms(&body), Vec::<&str>::new());
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &[]))).await;
    world.send(ROOM, ZOE, set("m.room.topic", "", json!({"topic": "new"}))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &[]))).await;
    assert_eq!(keys(&body, ROOM), []);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &both))).await;
    assert_eq!(keys(&body, ROOM), [key("m.room.create", ""), key("m.room.topic", "")]);
    // From lazily loaded members to all of them.
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &[["*", "*"], LAZY]))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1, &[["*", "*"]]))).await;
    assert_eq!(members(&body, ROOM).len(), 5);
}

#[tokio::test]
async fn lazy_members_are_those_of_the_timeline_and_come_once() {
    let mut world = world().await;
    world.say(ROOM, "@a:x", "hi").await;
    let mut worker = world.worker();
    let body = all(2, &[LAZY]);
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    assert_eq!(members(&first, ROOM), ["@a:x", ZOE]);
    world.say(ROOM, "@a:x", "known").await;
    world.say(ROOM, "@b:x", "new").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&first)), &body)).await;
    assert_eq!(members(&next, ROOM), ["@b:x"]);
    // The response was lost: what it told is told again, by whomever.
    let again = world.worker().slide(&world, ask(ME, Some(pos(&first)), &body)).await;
    assert_eq!(members(&again, ROOM), ["@b:x"]);
    world.say(ROOM, "@b:x", "known").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&again)), &body)).await;
    assert_eq!(members(&next, ROOM), Vec::<String>::new());
}

#[tokio::test]
async fn changes_of_members_come_without_a_hole_and_with_one_all_is_forgotten() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = all(2, &[LAZY, ["m.room.member", "$ME"]]);
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    assert_eq!(members(&first, ROOM), ["@c:x", ME, ZOE]);
    // Whoever changes, known or not, is told; also the target of a kick.
    world.send(ROOM, ZOE, member("@a:x", "ban")).await;
    let next = worker.slide(&world, ask(ME, Some(pos(&first)), &body)).await;
    assert_eq!(members(&next, ROOM), ["@a:x"]);
    world.send(ROOM, "@c:x", member("@c:x", "leave")).await;
    for _ in 0..2 {
        world.say(ROOM, ZOE, "la").await;
    }
    let gap = worker.slide(&world, ask(ME, Some(pos(&next)), &body)).await;
    assert_eq!((&gap["rooms"][ROOM]["limited"], members(&gap, ROOM)), (&json!(true), vec![ZOE.to_owned()]));
    // Whom it was told before the hole is told again.
    world.join(ROOM, "@c:x").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&gap)), &body)).await;
    assert_eq!(members(&next, ROOM), ["@c:x"]);
    for _ in 0..3 {
        world.say(ROOM, ZOE, "la").await;
    }
    let gap = worker.slide(&world, ask(ME, Some(pos(&next)), &body)).await;
    assert_eq!((&gap["rooms"][ROOM]["limited"], members(&gap, ROOM)), (&json!(true), vec![ZOE.to_owned()]));
    world.say(ROOM, "@c:x", "who am I").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&gap)), &body)).await;
    assert_eq!(members(&next, ROOM), ["@c:x"]);
}

#[tokio::test]
async fn what_is_removed_leaves_a_stub() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = all(1, &[["m.room.topic", ""], ["m.room.create", ""]]);
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    world.remove(ROOM, &key("m.room.topic", "")).await;
    world.remove(ROOM, &key("m.room.join_rules", "")).await;
    let stub = json!([{"type": "m.room.topic", "state_key": ""}]);
    let mut late = world.worker();
    late.begin_at_end(&world);
    for mut worker in [worker, late] {
        let next = worker.slide(&world, ask(ME, Some(pos(&first)), &body)).await;
        assert_eq!(next["rooms"][ROOM]["required_state"], stub);
        assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(pos(&next)), &body)).await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn in_a_large_room_a_worker_without_a_tail_has_the_client_forget_members() {
    let mut world = world().await;
    for n in 0..510 {
        world.join(ROOM, &format!("@m{n}:x")).await;
    }
    let mut worker = world.worker();
    let body = all(9, &[LAZY, ["m.room.member", "$ME"]]);
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    world.send(ROOM, "@a:x", member("@a:x", "leave")).await;
    world.say(ROOM, ZOE, "la").await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    for (mut worker, limited, told) in [(worker, false, vec!["@a:x", ZOE]), (late, true, vec!["@a:x", ZOE])] {
        let next = worker.slide(&world, ask(ME, Some(pos(&first)), &body)).await;
        let room = &next["rooms"][ROOM];
        assert_eq!((&room["limited"], room["timeline"].as_array().unwrap().len()), (&json!(limited), 2));
        assert_eq!(members(&next, ROOM), told);
    }
}
