//! What events relate to, as the roomserver files it, and what it refuses.

use banyan_core::ServiceError;
use banyan_rooms::reader::RelationsQuery;
use ruma::{EventId, RoomId};
use serde_json::{Value, json};

use crate::world::{Send, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

fn related(rel_type: &str, event_id: &str) -> Value {
    json!({"body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id, "key": "+"}})
}

async fn send(world: &World, room: &RoomId, user: &str, kind: &str, content: Value) -> Result<String, ServiceError> {
    world.send_with(user, room, (kind, None), content, Send::default()).await
}

/// The events that relate to one, newest first, and whether that is marked.
async fn relations(world: &World, room: &RoomId, target: &str, rel_type: Option<&str>) -> (Vec<String>, bool) {
    let target = EventId::parse(target).unwrap();
    let (rows, _) = world.reader.relations(room, &target, RelationsQuery::newest(rel_type, 100)).await.unwrap();
    let event = world.reader.event(room, &target).await.unwrap().unwrap();
    let marked = world.reader.related(room, [&event]).await.unwrap().contains(&target);
    (rows.into_iter().map(|(_, row)| row.event_id).collect(), marked)
}

#[tokio::test]
async fn relations_are_filed_until_they_are_redacted() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let root = world.message(ALICE, &room, "root").await.unwrap();
    assert_eq!(relations(&world, &room, &root, None).await, (vec![], false));
    let reply = send(&world, &room, ALICE, "m.room.message", related("m.thread", &root)).await.unwrap();
    let reaction = send(&world, &room, ALICE, "m.reaction", related("m.annotation", &root)).await.unwrap();
    assert_eq!(relations(&world, &room, &root, None).await, (vec![reaction.clone(), reply.clone()], true));
    assert_eq!(relations(&world, &room, &root, Some("m.thread")).await.0, std::slice::from_ref(&reply));
    let replies = world.reader.thread_replies(&room, banyan_rooms::RoomPlace::END, 10).await.unwrap();
    assert_eq!(replies.iter().map(|(_, row)| (&row.root, &row.event_id)).collect::<Vec<_>>(), [(&root, &reply)]);
    world.redact(ALICE, &room, &reply).await.unwrap();
    assert_eq!(relations(&world, &room, &root, None).await.0, [reaction]);
    assert_eq!(relations(&world, &room, &root, Some("m.thread")).await.0, Vec::<String>::new());
    assert!(world.reader.thread_replies(&room, banyan_rooms::RoomPlace::END, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_thread_does_not_start_from_what_relates_to_another_event() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let root = world.message(ALICE, &room, "root").await.unwrap();
    let reply = send(&world, &room, ALICE, "m.room.message", related("m.thread", &root)).await.unwrap();
    let nested = send(&world, &room, ALICE, "m.room.message", related("m.thread", &reply)).await;
    assert_eq!(errcode(nested), "M_UNKNOWN");
    // A reaction to it is well, and so is a thread off a mere reply.
    send(&world, &room, ALICE, "m.reaction", related("m.annotation", &reply)).await.unwrap();
    let content = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": root}}});
    let mere = send(&world, &room, ALICE, "m.room.message", content).await.unwrap();
    send(&world, &room, ALICE, "m.room.message", related("m.thread", &mere)).await.unwrap();
}

#[tokio::test]
async fn nobody_annotates_the_same_event_so_twice() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    let root = world.message(ALICE, &room, "root").await.unwrap();
    let react = async |user: &str, kind: &str| send(&world, &room, user, kind, related("m.annotation", &root)).await;
    let first = react(ALICE, "m.reaction").await.unwrap();
    assert_eq!(errcode(react(ALICE, "m.reaction").await), "M_DUPLICATE_ANNOTATION");
    react(BOB, "m.reaction").await.unwrap();
    react(ALICE, "m.other").await.unwrap();
    world.redact(ALICE, &room, &first).await.unwrap();
    react(ALICE, "m.reaction").await.unwrap();
    assert_eq!(errcode(react(ALICE, "m.reaction").await), "M_DUPLICATE_ANNOTATION");
}
