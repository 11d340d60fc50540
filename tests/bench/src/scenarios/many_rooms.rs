//! What someone in many rooms waits for every day: the first answer of a sliding sync when an app starts, and what is new in one room.

use http::Method;
use serde_json::{Value, json};

use super::sends::now;
use crate::{
    connection::{Connection, RequestError},
    people::{Person, send, sync, text},
    report::{Figure, Times},
};

/// First answers, and messages of which incremental syncs tell.
const TIMES: usize = 200;
/// Rooms that the app shows at first.
const SHOWN: usize = 20;

/// Times of both, of a person in `rooms` rooms of these ids.
pub(crate) async fn run(person: &Person, rooms: &[String]) -> Result<Vec<Figure>, RequestError> {
    let first = first_answers(person, rooms.len()).await?;
    let incremental = incremental_syncs(person, rooms).await?;
    let figures = |name: &str, times: &Times| {
        let name = format!("{name} with {} rooms", rooms.len());
        [Figure::millis(format!("{name}, p50"), times.at(0.5)), Figure::millis(format!("{name}, p99"), times.at(0.99))]
    };
    let [first, incremental] = [figures("sliding sync, first answer", &first), figures("incremental sync", &incremental)];
    Ok(first.into_iter().chain(incremental).collect())
}

/// New connections, each asking what the room list of a mobile client asks first.
async fn first_answers(person: &Person, rooms: usize) -> Result<Times, RequestError> {
    const STATE: [[&str; 2]; 12] = [
        ["m.room.name", ""],
        ["m.room.encryption", ""],
        ["m.room.member", "$LAZY"],
        ["m.room.member", "$ME"],
        ["m.room.topic", ""],
        ["m.room.avatar", ""],
        ["m.room.canonical_alias", ""],
        ["m.room.power_levels", ""],
        ["m.room.join_rules", ""],
        ["m.room.create", ""],
        ["m.room.history_visibility", ""],
        ["m.space.child", "*"],
    ];
    let list = json!({ "ranges": [[0, SHOWN - 1]], "timeline_limit": 1, "required_state": STATE });
    let body = json!({ "conn_id": "room-list", "lists": { "all_rooms": list },
        "extensions": { "account_data": { "enabled": true }, "to_device": { "enabled": true } } });
    let mut connection = person.connect();
    let mut times = Times::new();
    for _ in 0..TIMES {
        let started = now();
        let answer = slide(&mut connection, &body).await?;
        times.record(started.elapsed());
        let (counted, told) = (&answer["lists"]["all_rooms"]["count"], answer["rooms"].as_object().map_or(0, serde_json::Map::len));
        assert_eq!((counted, told), (&json!(rooms), SHOWN.min(rooms)), "rooms are missing");
    }
    Ok(times)
}

async fn slide(connection: &mut Connection, body: &Value) -> Result<Value, RequestError> {
    connection.json(Method::POST, "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", Some(body)).await
}

/// A message in one of the rooms, then the sync that tells it.
async fn incremental_syncs(person: &Person, rooms: &[String]) -> Result<Times, RequestError> {
    let (mut writing, mut reading) = (person.connect(), person.connect());
    let mut since = text(&sync(&mut reading, "", 0).await?, "next_batch");
    let mut times = Times::new();
    for (n, room) in rooms.iter().cycle().take(TIMES).enumerate() {
        send(&mut writing, room, &format!("news{n}")).await?;
        let started = now();
        let answer = sync(&mut reading, &since, 30_000).await?;
        times.record(started.elapsed());
        assert!(answer["rooms"]["join"][room].is_object(), "the message is missing");
        since = text(&answer, "next_batch");
    }
    Ok(times)
}
