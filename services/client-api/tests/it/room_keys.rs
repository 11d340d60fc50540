//! Backups of room keys.

use banyan_core::ServiceError;
use banyan_proto::users::{
    KeyBackup, KeyBackupChanged, KeyBackupNewest, RoomKey, RoomKeyCount, RoomKeyName, RoomKeyRow, RoomKeysChanged, account,
    user_entry::Kind,
};
use banyan_users::key_backup::wrong_version;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

const ROOM_KEYS: &str = "/_matrix/client/v3/room_keys";
const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

/// The world with versions 1 and 2 of Alice's backup, the second one with keys; the third was deleted.
async fn world() -> World {
    let world = World::new().await;
    for version in [1, 2] {
        let backup = KeyBackup { algorithm: ALGORITHM.to_owned(), auth_data: b"{\"public_key\":\"k\"}".to_vec().into() };
        let newest = Some(KeyBackupNewest { version: 3 });
        let changed = KeyBackupChanged { version, backup: Some(backup), newest, count: Some(RoomKeyCount::default()) };
        world.user_entry(ALICE, Kind::KeyBackup(changed)).await;
    }
    let stored = [("!a:one.test", "S1"), ("!a:one.test", "S2"), ("!b\"\\:one.test", "S/3")].map(|(room, session)| RoomKey {
        name: Some(RoomKeyName { room_id: room.to_owned(), session_id: session.to_owned() }),
        key: Some(RoomKeyRow {
            first_message_index: 1,
            forwarded_count: 2,
            is_verified: true,
            session_data: format!("{{\"ciphertext\":\"{room_len}\"}}", room_len = session.len()).into(),
        }),
    });
    let count = Some(RoomKeyCount { keys: 3, etag: 8 });
    let changed = RoomKeysChanged { version: 2, stored: stored.to_vec(), removed: Vec::new(), count };
    world.user_entry(ALICE, Kind::RoomKeys(changed)).await;
    world
}

fn shown(length: u64) -> Value {
    let session_data = json!({"ciphertext": length.to_string()});
    json!({"first_message_index": 1, "forwarded_count": 2, "is_verified": true, "session_data": session_data})
}

async fn delete(world: &World, path: &str) -> (StatusCode, Value) {
    answer(world.request(Method::DELETE, &format!("{ROOM_KEYS}/{path}"), Some(ALICE_TOKEN))).await
}

fn key() -> Value {
    json!({"first_message_index": 3, "forwarded_count": 4, "is_verified": false, "session_data": {"a":  1.50}})
}

#[tokio::test]
async fn versions_are_shown_to_their_user() {
    let world = world().await;
    let mut version = json!({
        "algorithm": ALGORITHM, "auth_data": {"public_key": "k"}, "count": 3, "etag": "8", "version": "2",
    });
    assert_eq!(world.get(&format!("{ROOM_KEYS}/version")).await.1, version);
    assert_eq!(world.get(&format!("{ROOM_KEYS}/version/2")).await.1, version);
    (version["count"], version["etag"], version["version"]) = (json!(0), json!("0"), json!("1"));
    assert_eq!(world.get(&format!("{ROOM_KEYS}/version/1")).await.1, version);
    for unknown in ["3", "02", "x"] {
        assert_error(&world.get(&format!("{ROOM_KEYS}/version/{unknown}")).await, 404, "M_NOT_FOUND");
    }
    world.add_user("@bob:one.test", "bob-token", account::Kind::User).await;
    for path in ["version", "version/2", "keys?version=2", "keys/!a:one.test?version=2", "keys/!a:one.test/S1?version=2"] {
        let of_bob = answer(world.request(Method::GET, &format!("{ROOM_KEYS}/{path}"), Some("bob-token"))).await;
        assert_error(&of_bob, 404, "M_NOT_FOUND");
        let of_guest = answer(world.request(Method::GET, &format!("{ROOM_KEYS}/{path}"), Some(GUEST_TOKEN))).await;
        assert_error(&of_guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
    }
}

#[tokio::test]
async fn keys_are_shown_by_room_and_session() {
    let world = world().await;
    let of_a = json!({"S1": shown(2), "S2": shown(2)});
    let all = json!({"rooms": {"!a:one.test": {"sessions": of_a}, "!b\"\\:one.test": {"sessions": {"S/3": shown(3)}}}});
    assert_eq!(world.get(&format!("{ROOM_KEYS}/keys?version=2")).await, (StatusCode::OK, all));
    assert_eq!(world.get(&format!("{ROOM_KEYS}/keys?version=1")).await, (StatusCode::OK, json!({"rooms": {}})));
    assert_eq!(world.get(&format!("{ROOM_KEYS}/keys/!a:one.test?version=2")).await, (StatusCode::OK, json!({"sessions": of_a})));
    let none = world.get(&format!("{ROOM_KEYS}/keys/!none:one.test?version=2")).await;
    assert_eq!(none, (StatusCode::OK, json!({"sessions": {}})));
    let one = world.get(&format!("{ROOM_KEYS}/keys/!b%22%5C:one.test/S%2F3?version=2")).await;
    assert_eq!(one, (StatusCode::OK, shown(3)));
    let missing = world.get(&format!("{ROOM_KEYS}/keys/!a:one.test/S9?version=2")).await;
    assert_error(&missing, 404, "M_NOT_FOUND");
    for path in ["keys", "keys/!a:one.test", "keys/!a:one.test/S1"] {
        assert_error(&world.get(&format!("{ROOM_KEYS}/{path}?version=3")).await, 404, "M_NOT_FOUND");
        assert_error(&world.get(&format!("{ROOM_KEYS}/{path}")).await, 400, "M_MISSING_PARAM");
    }
}

#[tokio::test]
async fn many_keys_are_one_answer() {
    let world = world().await;
    for part in 0..5 {
        let key = |n: u64| RoomKey {
            name: Some(RoomKeyName { room_id: format!("!{}:one.test", n % 3), session_id: format!("{part}-{n}") }),
            key: Some(RoomKeyRow { session_data: json!({"x": "y".repeat(200)}).to_string().into(), ..RoomKeyRow::default() }),
        };
        let stored = (0..200).map(key).collect();
        let changed = RoomKeysChanged { version: 1, stored, removed: Vec::new(), count: Some(RoomKeyCount::default()) };
        world.user_entry(ALICE, Kind::RoomKeys(changed)).await;
    }
    let (status, body) = world.get(&format!("{ROOM_KEYS}/keys?version=1")).await;
    assert_eq!(status, StatusCode::OK);
    let rooms = body["rooms"].as_object().unwrap();
    let sizes: Vec<_> = rooms.values().map(|room| room["sessions"].as_object().unwrap().len()).collect();
    assert_eq!(sizes, [335, 335, 330]);
}

#[tokio::test]
async fn versions_are_made_updated_and_deleted_by_the_owner() {
    let world = world().await;
    let body = json!({"algorithm": ALGORITHM, "auth_data": {"public_key": "n"}});
    let made = world.post(&format!("{ROOM_KEYS}/version"), body.clone()).await;
    assert_eq!(made, (StatusCode::OK, json!({"version": "7"})));
    let Call::CreateKeyBackup(request) = world.fakes.only() else { panic!("no version") };
    assert_eq!((request.algorithm.as_str(), &request.auth_data[..]), (ALGORITHM, &b"{\"public_key\":\"n\"}"[..]));

    assert_eq!(world.put(&format!("{ROOM_KEYS}/version/2"), body.clone()).await, (StatusCode::OK, json!({})));
    let Call::UpdateKeyBackup(request) = world.fakes.only() else { panic!("no update") };
    assert_eq!((request.version.as_str(), request.algorithm.as_str()), ("2", ALGORITHM));
    let mut other = body.clone();
    other["version"] = json!("1");
    assert_error(&world.put(&format!("{ROOM_KEYS}/version/2"), other).await, 400, "M_INVALID_PARAM");
    for wrong in [
        json!({}),
        json!({"algorithm": ALGORITHM}),
        json!({"algorithm": 1, "auth_data": {}}),
        json!({"algorithm": "", "auth_data": []}),
    ] {
        assert_error(&world.post(&format!("{ROOM_KEYS}/version"), wrong.clone()).await, 400, "M_BAD_JSON");
        assert_error(&world.put(&format!("{ROOM_KEYS}/version/2"), wrong).await, 400, "M_BAD_JSON");
    }
    assert!(world.fakes.take().is_empty());

    assert_eq!(delete(&world, "version/2").await, (StatusCode::OK, json!({})));
    let Call::DeleteKeyBackup(request) = world.fakes.only() else { panic!("no deletion") };
    assert_eq!(request.version, "2");
    for (call, method) in [("UpdateKeyBackup", Method::PUT), ("DeleteKeyBackup", Method::DELETE)] {
        world.fakes.fail(call, ServiceError::not_found("Unknown backup version"));
        let request = world.request(method, &format!("{ROOM_KEYS}/version/9"), Some(ALICE_TOKEN)).body(body.to_string());
        assert_error(&answer(request).await, 404, "M_NOT_FOUND");
    }
}

#[tokio::test]
async fn keys_are_stored_by_the_owner_as_they_are() {
    let world = world().await;
    let counted = (StatusCode::OK, json!({"etag": "9", "count": 5}));
    let all = json!({"rooms": {"!a:one.test": {"sessions": {"S": key()}}}});
    for (path, body) in [("keys", all), ("keys/!a:one.test", json!({"sessions": {"S": key()}})), ("keys/!a:one.test/S", key())] {
        assert_eq!(world.put(&format!("{ROOM_KEYS}/{path}?version=2"), body.clone()).await, counted, "{path}");
        let Call::PutRoomKeys(request) = world.fakes.only() else { panic!("no keys") };
        let [stored] = &request.keys[..] else { panic!("{:?}", request.keys) };
        assert_eq!((request.version.as_str(), stored.room_id.as_str(), stored.session_id.as_str()), ("2", "!a:one.test", "S"));
        assert_eq!((stored.first_message_index, stored.forwarded_count, stored.is_verified), (3, 4, false));
        assert_eq!(&stored.session_data[..], b"{\"a\":1.5}");
        assert_error(&world.put(&format!("{ROOM_KEYS}/{path}"), body).await, 400, "M_MISSING_PARAM");
        assert_error(&world.put(&format!("{ROOM_KEYS}/{path}?version=2"), json!({})).await, 400, "M_BAD_JSON");
    }
    for (member, value) in [("session_data", json!([])), ("first_message_index", json!(-1)), ("is_verified", json!("yes"))] {
        let mut wrong = key();
        wrong[member] = value;
        assert_error(&world.put(&format!("{ROOM_KEYS}/keys/!a:one.test/S?version=2"), wrong).await, 400, "M_BAD_JSON");
    }
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("PutRoomKeys", wrong_version(42));
    let wrong = world.put(&format!("{ROOM_KEYS}/keys/!a:one.test/S?version=1"), key()).await;
    assert_error(&wrong, 403, "M_WRONG_ROOM_KEYS_VERSION");
    assert_eq!(wrong.1["current_version"], "42");
}

#[tokio::test]
async fn keys_are_removed_by_the_owner() {
    let world = world().await;
    for (path, room, session) in
        [("keys", "", ""), ("keys/!a:one.test", "!a:one.test", ""), ("keys/!a:one.test/S1", "!a:one.test", "S1")]
    {
        let removed = delete(&world, &format!("{path}?version=2")).await;
        assert_eq!(removed, (StatusCode::OK, json!({"etag": "9", "count": 5})));
        let Call::DeleteRoomKeys(request) = world.fakes.only() else { panic!("no removal") };
        assert_eq!((request.version.as_str(), request.room_id.as_str(), request.session_id.as_str()), ("2", room, session));
        assert_error(&delete(&world, path).await, 400, "M_MISSING_PARAM");
    }
    world.fakes.fail("DeleteRoomKeys", ServiceError::not_found("Unknown backup version"));
    assert_error(&delete(&world, "keys?version=9").await, 404, "M_NOT_FOUND");
}
