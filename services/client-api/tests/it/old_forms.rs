//! What clients used before there was `/sync`.

use banyan_proto::{
    status::to_status,
    sync::SyncChunk,
    users::{AccountDataChanged, account, user_entry::Kind},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const BOB: &str = "@bob:one.test";

/// Has the sync role answer this.
async fn script(world: &World, body: Value) {
    let pieces = world.fakes.script_sync();
    pieces.send(Ok(SyncChunk { data: body.to_string().into_bytes().into() })).await.unwrap();
}

fn asked(world: &World) -> banyan_proto::sync::SyncRequest {
    let Call::Sync(request) = world.fakes.only() else { panic!("not a sync") };
    request
}

fn types(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

async fn with_bob(members: &[&str]) -> (World, Room) {
    let world = World::new().await;
    world.add_user(BOB, "bob-token", account::Kind::User).await;
    let room = Room::new(&world, members).await;
    (world, room)
}

#[tokio::test]
async fn the_event_stream_tells_what_a_sync_tells() {
    let (world, mut room) = with_bob(&[BOB]).await;
    room.add(&world, "m.room.member", Some(ALICE), BOB, json!({"membership": "invite"})).await;
    let joined = json!({
        "timeline": {"events": [{"type": "m.room.message", "event_id": "$m"}], "prev_batch": "p"},
        "ephemeral": {"events": [{"type": "m.typing", "content": {"user_ids": []}}]},
    });
    let left = json!({"timeline": {"events": [{"type": "m.room.member", "event_id": "$l"}]}});
    let body = json!({
        "next_batch": "s2",
        "rooms": {"join": {"!a:x": joined}, "leave": {"!b:x": left}, "invite": {ROOM: {"invite_state": {"events": []}}}},
        "presence": {"events": [{"type": "m.presence", "sender": BOB}]},
    });
    script(&world, body).await;
    let (status, page) = world.get(&format!("{V3}/events?from=s1&timeout=1234")).await;
    assert_eq!((status.as_u16(), &page["start"], &page["end"]), (200, &json!("s1"), &json!("s2")), "{page}");
    assert_eq!(types(&page["chunk"]), ["m.room.message", "m.typing", "m.room.member", "m.room.member", "m.presence"]);
    let rooms: Vec<_> = page["chunk"].as_array().unwrap().iter().map(|event| event["room_id"].as_str()).collect();
    assert_eq!(rooms, [Some("!a:x"), Some("!a:x"), Some("!b:x"), Some(ROOM), None]);
    assert_eq!(page["chunk"][3]["content"]["membership"], "invite");
    let request = asked(&world);
    assert_eq!((request.since.as_str(), request.timeout_ms), ("s1", 1234));
}

#[tokio::test]
async fn a_wrong_token_of_the_event_stream_is_refused() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    pieces.send(Err(to_status(&banyan_core::ServiceError::invalid_param("not a token")))).await.unwrap();
    assert_error(&world.get(&format!("{V3}/events?from=x")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn whoever_may_read_a_room_may_follow_it_without_being_in_it() {
    let (world, mut room) = with_bob(&[BOB]).await;
    let peek = async |query: &str, token: &str| {
        answer(world.request(Method::GET, &format!("{V3}/events?room_id={ROOM}{query}"), Some(token))).await
    };
    assert_error(&peek("", ALICE_TOKEN).await, 403, "M_FORBIDDEN");
    room.add(&world, "m.room.history_visibility", Some(""), BOB, json!({"history_visibility": "world_readable"})).await;
    let (_, nothing) = peek("", GUEST_TOKEN).await;
    assert_eq!(nothing["chunk"], json!([]));
    let end = nothing["end"].as_str().unwrap();
    room.add(&world, "m.room.message", None, BOB, json!({"n": 1})).await;
    let (_, page) = peek(&format!("&from={end}&timeout=60000"), GUEST_TOKEN).await;
    assert_eq!((types(&page["chunk"]), &page["chunk"][0]["room_id"]), (vec!["m.room.message"], &json!(ROOM)), "{page}");
    // It goes on from there.
    let end = page["end"].as_str().unwrap();
    assert_eq!(peek(&format!("&from={end}"), ALICE_TOKEN).await.1["chunk"], json!([]));
    assert_error(&peek("&from=x", ALICE_TOKEN).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn an_event_is_found_in_whichever_room_has_it() {
    let (world, mut room) = with_bob(&[ALICE, BOB]).await;
    let id = room.add(&world, "m.room.message", None, BOB, json!({"n": 1})).await;
    let path = format!("{V3}/events/{id}");
    let (status, event) = world.get(&path).await;
    assert_eq!((status.as_u16(), &event["event_id"], &event["room_id"]), (200, &json!(id), &json!(ROOM)));
    assert_error(&world.get(&format!("{V3}/events/$none")).await, 404, "M_NOT_FOUND");
    world.add_user("@carol:one.test", "carol-token", account::Kind::User).await;
    assert_error(&answer(world.request(Method::GET, &path, Some("carol-token"))).await, 404, "M_NOT_FOUND");
    assert_error(&answer(world.request(Method::GET, &path, Some(GUEST_TOKEN))).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn the_initial_sync_shows_rooms_and_account_data() {
    let (world, mut room) = with_bob(&[BOB]).await;
    room.add(&world, "m.room.member", Some(ALICE), BOB, json!({"membership": "invite"})).await;
    let joined = json!({
        "timeline": {"events": [{"type": "m.room.message"}], "prev_batch": "p"},
        "state_after": {"events": [{"type": "m.room.create"}]},
        "account_data": {"events": [{"type": "m.tag", "content": {}}]},
    });
    let body = json!({
        "next_batch": "s2",
        "rooms": {"join": {"!a:x": joined}, "invite": {ROOM: {"invite_state": {"events": []}}}},
        "account_data": {"events": [{"type": "m.push_rules", "content": {}}]},
    });
    script(&world, body).await;
    let (status, page) = world.get(&format!("{V3}/initialSync?limit=3&archived=true")).await;
    assert_eq!((status.as_u16(), &page["end"]), (200, &json!("s2")), "{page}");
    assert_eq!((types(&page["account_data"]), &page["presence"]), (vec!["m.push_rules"], &json!([])));
    let expected = json!({
        "room_id": "!a:x", "membership": "join", "visibility": "private",
        "messages": {"start": "p", "end": "s2", "chunk": [{"type": "m.room.message", "room_id": "!a:x"}]},
        "state": [{"type": "m.room.create", "room_id": "!a:x"}],
        "account_data": [{"type": "m.tag", "content": {}}],
    });
    assert_eq!(page["rooms"][0], expected);
    assert_eq!((&page["rooms"][1]["membership"], &page["rooms"][1]["invite"]["state_key"]), (&json!("invite"), &json!(ALICE)));
    let request = asked(&world);
    let filter: Value = serde_json::from_slice(&request.filter).unwrap();
    assert_eq!(filter, json!({"room": {"timeline": {"limit": 3}, "include_leave": true}}));
    assert!(request.use_state_after && request.since.is_empty() && request.timeout_ms == 0);
    let guest = answer(world.request(Method::GET, &format!("{V3}/initialSync"), Some(GUEST_TOKEN))).await;
    assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn a_snapshot_of_a_room_is_for_members_and_for_whoever_may_look_into_it() {
    let (world, mut room) = with_bob(&[ALICE, BOB]).await;
    for n in 0..12 {
        room.add(&world, "m.room.message", None, BOB, json!({"n": n})).await;
    }
    let data =
        AccountDataChanged { room_id: ROOM.to_owned(), r#type: "m.tag".to_owned(), content: b"{\"tags\":{}}".to_vec().into() };
    world.user_entry(ALICE, Kind::AccountData(data)).await;
    let path = format!("{V3}/rooms/{ROOM}/initialSync");
    let (status, page) = world.get(&format!("{path}?limit=5")).await;
    assert_eq!((status.as_u16(), &page["room_id"], &page["membership"]), (200, &json!(ROOM), &json!("join")), "{page}");
    assert_eq!(page["account_data"], json!([{"type": "m.tag", "content": {"tags": {}}}]));
    let numbers = |events: &Value| events.as_array().unwrap().iter().map(|event| event["content"]["n"].clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&page["messages"]["chunk"]), [7, 8, 9, 10, 11]);
    assert_eq!(page["state"].as_array().unwrap().len(), 3);
    // Its tokens go on in both directions.
    let more = async |dir: &str, token: &Value| {
        let path = format!("{V3}/rooms/{ROOM}/messages?dir={dir}&limit=2&from={}", token.as_str().unwrap());
        numbers(&world.get(&path).await.1["chunk"])
    };
    assert_eq!(more("b", &page["messages"]["start"]).await, [6, 5]);
    room.add(&world, "m.room.message", None, BOB, json!({"n": 12})).await;
    assert_eq!(more("f", &page["messages"]["end"]).await, [12]);

    let guest = || world.request(Method::GET, &path, Some(GUEST_TOKEN));
    assert_error(&answer(guest()).await, 403, "M_FORBIDDEN");
    room.add(&world, "m.room.history_visibility", Some(""), BOB, json!({"history_visibility": "world_readable"})).await;
    let (_, page) = answer(guest()).await;
    assert_eq!(
        (page.get("membership"), types(&page["messages"]["chunk"]).last()),
        (None, Some(&"m.room.history_visibility")),
        "{page}"
    );
}
