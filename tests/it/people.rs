//! People and places: names that reach all rooms though the process ends midway, and what is found of people and rooms.

use std::time::Duration;

use banyan_testkit::process::until;
use banyan_tests::{Common, Node, Session, client::percent};
use serde_json::{Value, json};

const V1: &str = "/_matrix/client/v1";
const V3: &str = "/_matrix/client/v3";

async fn installation(dir: &std::path::Path) -> Node {
    let common = Common::embedded(&dir.join("data")).cheap_passwords().tenant("people.test", true);
    let mut node = Node::new("banyan", dir, &[], &common);
    node.start().await;
    node
}

/// The names that somebody had in a room, oldest first.
async fn names(person: &Session, room: &str) -> Vec<Value> {
    let path = format!("{V3}/rooms/{}/messages?dir=f&limit=100", percent(room));
    let page = person.get(&path).await.unwrap();
    let events = page["chunk"].as_array().unwrap().iter();
    let own = events.filter(|event| event["type"] == "m.room.member" && event["state_key"] == *person.user_id);
    own.map(|event| event["content"]["displayname"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_reaches_every_room_once_though_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = installation(dir.path()).await;
    let alice = node.homeserver().register("alice").await.unwrap();
    let mut rooms = Vec::new();
    for _ in 0..20 {
        rooms.push(alice.create_room(&json!({ "preset": "private_chat" })).await.unwrap());
    }
    let path = format!("{V3}/profile/{}/displayname", percent(&alice.user_id));
    alice.put(&path, &json!({ "displayname": "Renamed" })).await.unwrap();
    node.kill();
    node.start().await;
    let alice = alice.at(&node.homeserver());
    for room in &rooms {
        until("a new name in a room", Duration::from_secs(60), async || {
            (names(&alice, room).await.last()? == "Renamed").then_some(())
        })
        .await;
    }
    for room in &rooms {
        assert_eq!(names(&alice, room).await, ["alice", "Renamed"]);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_rooms_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = installation(dir.path()).await;
    let server = node.homeserver();
    let (alice, bob) = (server.register("alice").await.unwrap(), server.register("bob").await.unwrap());
    let public = json!({ "preset": "public_chat", "name": "Pub", "visibility": "public" });
    let room = alice.create_room(&public).await.unwrap();
    let space = json!({ "preset": "public_chat", "creation_content": { "type": "m.space" } });
    let space = alice.create_room(&space).await.unwrap();
    let child = format!("{V3}/rooms/{}/state/m.space.child/{}", percent(&space), percent(&room));
    alice.put(&child, &json!({ "via": ["people.test"] })).await.unwrap();

    let tree = bob.get(&format!("{V1}/rooms/{}/hierarchy", percent(&space))).await.unwrap();
    let found: Vec<_> = tree["rooms"].as_array().unwrap().iter().map(|room| &room["room_id"]).collect();
    assert_eq!(found, [&json!(space), &json!(room)]);
    let summary = bob.get(&format!("{V1}/room_summary/{}", percent(&room))).await.unwrap();
    assert_eq!((&summary["name"], &summary["num_joined_members"]), (&json!("Pub"), &json!(1)));
    let directory = bob.get(&format!("{V3}/publicRooms")).await.unwrap();
    assert_eq!(directory["chunk"][0]["room_id"], room);
    let people = bob.post(&format!("{V3}/user_directory/search"), &json!({ "search_term": "ali" })).await.unwrap();
    assert_eq!(people["results"], json!([{ "user_id": alice.user_id, "display_name": "alice" }]));
    bob.join(&room).await.unwrap();
    let shared = bob.get(&format!("{V1}/mutual_rooms?user_id={}", percent(&alice.user_id))).await.unwrap();
    assert_eq!(shared["joined"], json!([room]));
    node.stop().await;
}
