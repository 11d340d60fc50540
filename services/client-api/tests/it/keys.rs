//! Devices and their keys.

use banyan_proto::users::{
    Account, CrossSigningKeyChanged, CrossSigningUsage, Device, DeviceChanged, DeviceKeysUploaded, KeySignature,
    KeySignaturesAdded, account, user_entry::Kind,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const BOB: &str = "@bob:one.test";

async fn device(world: &World, user: &str, device_id: &str, name: &str) {
    let device =
        Device { display_name: name.to_owned(), last_seen_ip: "1.2.3.4".to_owned(), last_seen: 5_000_000, ..Device::default() };
    let changed = DeviceChanged { device_id: device_id.to_owned(), device: Some(device) };
    world.user_entry(user, Kind::Device(changed)).await;
}

/// The world with a device DEV of Alice, and Bob with a phone that has keys, and cross-signing keys of both.
async fn world() -> World {
    let world = World::new().await;
    world.add_user(BOB, "bob-token", account::Kind::User).await;
    device(&world, ALICE, "DEV", "").await;
    device(&world, BOB, "B", "phone").await;
    let keys = json!({"user_id": BOB, "device_id": "B", "algorithms": [], "keys": {}, "signatures": {BOB: {"ed25519:B": "own"}}});
    let uploaded = DeviceKeysUploaded { device_id: "B".to_owned(), keys: text(&keys).into(), void_signatures: Vec::new() };
    world.user_entry(BOB, Kind::DeviceKeys(uploaded)).await;
    for (usage, name) in [
        (CrossSigningUsage::Master, "master"),
        (CrossSigningUsage::SelfSigning, "self_signing"),
        (CrossSigningUsage::UserSigning, "user_signing"),
    ] {
        let changed = CrossSigningKeyChanged { usage: usage.into(), key: text(&key(BOB, name)).into() };
        world.user_entry(BOB, Kind::CrossSigningKey(changed)).await;
    }
    world
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A cross-signing key whose public key is its name.
fn key(user: &str, name: &str) -> Value {
    json!({"user_id": user, "usage": [name], "keys": {format!("ed25519:{name}"): name}})
}

async fn signed(world: &World, signer: &str, target_key: &str, key_id: &str) {
    let signature = KeySignature {
        target_user: BOB.to_owned(),
        target_key: target_key.to_owned(),
        key_id: key_id.to_owned(),
        signature: "s".to_owned(),
    };
    world.user_entry(signer, Kind::KeySignatures(KeySignaturesAdded { signatures: vec![signature] })).await;
}

#[tokio::test]
async fn devices_are_shown_to_their_user() {
    let world = world().await;
    let shown = json!({"device_id": "DEV", "last_seen_ip": "1.2.3.4", "last_seen_ts": 5000});
    assert_eq!(world.get(&format!("{V3}/devices")).await.1, json!({"devices": [shown]}));
    assert_eq!(world.get(&format!("{V3}/devices/DEV")).await.1, shown);
    assert_error(&world.get(&format!("{V3}/devices/B")).await, 404, "M_NOT_FOUND");
    let (_, named) = answer(world.request(Method::GET, &format!("{V3}/devices/B"), Some("bob-token"))).await;
    assert_eq!(named["display_name"], "phone");
    let guest = answer(world.request(Method::GET, &format!("{V3}/devices"), Some(GUEST_TOKEN))).await;
    assert_eq!(guest.0.as_u16(), 200);
}

#[tokio::test]
async fn a_device_is_named() {
    let world = world().await;
    assert_eq!(world.put(&format!("{V3}/devices/DEV"), json!({"display_name": "desk"})).await.1, json!({}));
    let Call::UpdateDevice(request) = world.fakes.only() else { panic!("not a name") };
    assert_eq!((request.device_id.as_str(), request.display_name.as_deref(), request.seen_at.as_str()), ("DEV", Some("desk"), ""));
    world.put(&format!("{V3}/devices/DEV"), json!({})).await;
    let Call::UpdateDevice(request) = world.fakes.only() else { panic!("not a name") };
    assert_eq!(request.display_name, None);
    world.fakes.fail("UpdateDevice", banyan_core::ServiceError::not_found("no such device"));
    assert_error(&world.put(&format!("{V3}/devices/X"), json!({"display_name": "desk"})).await, 404, "M_NOT_FOUND");
}

/// The stage that proves a password, in a session.
fn auth(user: &str, session: &Value) -> Value {
    json!({
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": "right",
        "session": session["session"],
    })
}

#[tokio::test]
async fn devices_are_deleted_by_whoever_confirms_it_and_only_those() {
    let world = world().await;
    let delete = async |device: &str, body: Value| {
        let request = world.request(Method::DELETE, &format!("{V3}/devices/{device}"), Some(ALICE_TOKEN));
        answer(request.body(body.to_string())).await
    };
    let empty = answer(world.request(Method::DELETE, &format!("{V3}/devices/DEV"), Some(ALICE_TOKEN))).await;
    assert_eq!(empty.0.as_u16(), 401);
    let (status, challenge) = delete("DEV", json!({})).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.login.password"]}])));
    assert!(world.fakes.take().is_empty());
    // Confirmed for one, used for another.
    world.fakes.fail("DeleteDevices", banyan_core::ServiceError::unavailable("not now"));
    let (status, _) = delete("DEV", json!({"auth": auth("alice", &challenge)})).await;
    assert_eq!(status.as_u16(), 503);
    world.fakes.take();
    assert_error(&delete("OTHER", json!({"auth": {"session": challenge["session"]}})).await, 403, "M_FORBIDDEN");
    assert!(world.fakes.take().is_empty());

    let (_, challenge) = delete("DEV", json!({})).await;
    assert_error(&delete("DEV", json!({"auth": auth("bob", &challenge)})).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn several_devices_are_deleted_at_once() {
    let world = world().await;
    let path = format!("{V3}/delete_devices");
    assert_error(&world.post(&path, json!({})).await, 400, "M_BAD_JSON");
    assert_error(&world.post(&path, json!({"devices": "DEV"})).await, 400, "M_BAD_JSON");
    let (_, challenge) = world.post(&path, json!({"devices": ["DEV", "X"]})).await;
    let body = json!({"devices": ["DEV", "X"], "auth": auth("alice", &challenge)});
    assert_eq!(world.post(&path, body).await, (http::StatusCode::OK, json!({})));
    let calls = world.fakes.take();
    let Some(Call::DeleteDevices(request)) = calls.last() else { panic!("{calls:?}") };
    assert_eq!(request.device_ids, ["DEV", "X"]);
    let guest = answer(world.request(Method::POST, &path, Some(GUEST_TOKEN)).body("{\"devices\":[]}")).await;
    assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn keys_are_uploaded_as_they_are() {
    let world = world().await;
    let keys = json!({"signed_curve25519:A": {"key": "k"}});
    let (status, body) = world.post(&format!("{V3}/keys/upload"), json!({"one_time_keys": keys})).await;
    assert_eq!((status.as_u16(), body), (200, json!({"one_time_key_counts": {"signed_curve25519": 2}})));
    let Call::UploadKeys(request) = world.fakes.only() else { panic!("no upload") };
    assert_eq!(request.caller.unwrap().device_id, "DEV");
    assert_eq!(serde_json::from_slice::<Value>(&request.one_time_keys).unwrap(), keys);
    assert!(request.device_keys.is_empty() && request.fallback_keys.is_empty());
    for wrong in [json!({"one_time_keys": []}), json!({"device_keys": "x"}), json!({"fallback_keys": 5})] {
        assert_error(&world.post(&format!("{V3}/keys/upload"), wrong).await, 400, "M_BAD_JSON");
    }
}

#[tokio::test]
async fn everybody_sees_the_keys_of_devices_and_each_the_signatures_meant_for_them() {
    let world = world().await;
    signed(&world, BOB, "B", "ed25519:self_signing").await;
    signed(&world, ALICE, "master", "ed25519:of_alice").await;
    signed(&world, "@carol:one.test", "master", "ed25519:of_carol").await;
    let query = async |wanted: Value, token: &str| {
        let request = world.request(Method::POST, &format!("{V3}/keys/query"), Some(token));
        answer(request.body(json!({"device_keys": wanted}).to_string())).await.1
    };
    let found = query(json!({BOB: [], ALICE: [], "@none:one.test": [], "@far:away.test": []}), ALICE_TOKEN).await;
    let phone = &found["device_keys"][BOB]["B"];
    assert_eq!(phone["signatures"], json!({BOB: {"ed25519:B": "own", "ed25519:self_signing": "s"}}));
    assert_eq!(phone["unsigned"], json!({"device_display_name": "phone"}));
    assert_eq!(found["device_keys"][ALICE], json!({}));
    assert_eq!(found["device_keys"].as_object().unwrap().len(), 2);
    assert_eq!(found["master_keys"][BOB]["signatures"], json!({ALICE: {"ed25519:of_alice": "s"}}));
    assert_eq!(found["self_signing_keys"][BOB]["usage"], json!(["self_signing"]));
    assert_eq!(found["user_signing_keys"], json!({}));
    assert_eq!(found["failures"].as_object().unwrap().keys().collect::<Vec<_>>(), ["away.test"]);

    let own = query(json!({BOB: ["NONE"]}), "bob-token").await;
    assert_eq!((&own["device_keys"][BOB], &own["user_signing_keys"][BOB]["usage"]), (&json!({}), &json!(["user_signing"])));
    assert!(own["master_keys"][BOB].get("signatures").is_none());
    let guest = query(json!({BOB: ["B"]}), GUEST_TOKEN).await;
    assert!(guest["device_keys"][BOB]["B"].is_object());
    for wrong in [json!({}), json!({"device_keys": {BOB: {"B": []}}}), json!({"device_keys": {"bob": []}})] {
        assert_error(&world.post(&format!("{V3}/keys/query"), wrong).await, 400, "M_BAD_JSON");
    }
}

#[tokio::test]
async fn keys_are_claimed_of_each_user_s_owner() {
    let world = world().await;
    let wanted = json!({BOB: {"B": "signed_curve25519"}, ALICE: {"DEV": "x"}, "@far:away.test": {"F": "x"}});
    let (status, body) = world.post(&format!("{V3}/keys/claim"), json!({"one_time_keys": wanted})).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    assert_eq!(body["one_time_keys"][BOB], json!({"B": {"signed_curve25519:A": {"key": "k"}}}));
    assert_eq!(body["failures"].as_object().unwrap().keys().collect::<Vec<_>>(), ["away.test"]);
    let ids: std::collections::BTreeSet<_> = world
        .fakes
        .take()
        .into_iter()
        .map(|call| match call {
            Call::ClaimKeys(request) => request.caller.unwrap().request_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 2, "two commands of one id would be taken for one");
    assert_error(&world.post(&format!("{V3}/keys/claim"), json!({})).await, 400, "M_BAD_JSON");
}

#[tokio::test]
async fn the_first_cross_signing_keys_need_no_confirmation_and_others_do() {
    let world = world().await;
    let path = format!("{V3}/keys/device_signing/upload");
    let first = json!({"master_key": key(ALICE, "master")});
    assert_eq!(world.post(&path, first).await, (http::StatusCode::OK, json!({})));
    let Call::UploadCrossSigningKeys(request) = world.fakes.only() else { panic!("no upload") };
    assert!(!request.confirmed && request.self_signing_key.is_empty());

    let upload = async |body: Value| {
        let request = world.request(Method::POST, &path, Some("bob-token"));
        answer(request.body(body.to_string())).await
    };
    let same = json!({"master_key": key(BOB, "master")});
    assert_eq!(upload(same).await.0.as_u16(), 200);
    world.fakes.take();
    let other = json!({"master_key": key(BOB, "other")});
    let usage = json!({"master_key": key(BOB, "self_signing")});
    let (status, challenge) = upload(json!({"master_key": key(BOB, "master"), "x": 1})).await;
    assert_eq!((status.as_u16(), challenge), (200, json!({})));
    assert_error(&upload(usage).await, 400, "M_INVALID_PARAM");
    let mut renamed = other;
    renamed["master_key"]["usage"] = json!(["master"]);
    world.fakes.take();
    let (status, challenge) = upload(renamed.clone()).await;
    assert_eq!(status.as_u16(), 401, "{challenge}");
    assert!(world.fakes.take().is_empty());
    renamed["auth"] = auth("bob", &challenge);
    assert_eq!(upload(renamed).await.0.as_u16(), 200);
    let calls = world.fakes.take();
    let Some(Call::UploadCrossSigningKeys(request)) = calls.last() else { panic!("{calls:?}") };
    assert!(request.confirmed);
    assert_error(&upload(json!({"self_signing_key": key(BOB, "self_signing")})).await, 400, "M_INVALID_SIGNATURE");
    let missing = world.post(&path, json!({"self_signing_key": key(ALICE, "self_signing")})).await;
    assert_error(&missing, 400, "M_MISSING_PARAM");
    assert_error(&world.post(&path, json!({"master_key": key(BOB, "master")})).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn signatures_go_to_the_owner_and_failures_come_back() {
    let world = world().await;
    let (status, body) = world.post(&format!("{V3}/keys/signatures/upload"), json!({ALICE: {"DEV": {}}})).await;
    assert_eq!((status.as_u16(), body), (200, json!({"failures": {}})));
    let Call::UploadSignatures(request) = world.fakes.only() else { panic!("no upload") };
    assert_eq!(&request.signatures[..], json!({ALICE: {"DEV": {}}}).to_string().as_bytes());
}

#[tokio::test]
async fn whoever_is_locked_has_no_keys_to_give() {
    let world = world().await;
    world.user_entry(BOB, Kind::Account(Account { locked: true, ..Account::default() })).await;
    let locked = answer(world.request(Method::POST, &format!("{V3}/keys/upload"), Some("bob-token")).body("{}")).await;
    assert_error(&locked, 401, "M_USER_LOCKED");
}

#[tokio::test]
async fn changes_are_those_of_a_sync_from_there() {
    let world = world().await;
    let pieces = world.fakes.script_sync();
    let body = json!({"next_batch": "s3", "device_lists": {"changed": [BOB], "left": ["@carol:one.test"]}});
    pieces.send(Ok(banyan_proto::sync::SyncChunk { data: text(&body).into() })).await.unwrap();
    drop(pieces);
    let (status, body) = world.get(&format!("{V3}/keys/changes?from=s1&to=s2")).await;
    assert_eq!((status.as_u16(), body), (200, json!({"changed": [BOB], "left": ["@carol:one.test"]})));
    let Call::Sync(request) = world.fakes.only() else { panic!("not a sync") };
    assert_eq!((request.since.as_str(), request.timeout_ms), ("s1", 0));
    for query in ["", "?from=s1", "?to=s1"] {
        assert_error(&world.get(&format!("{V3}/keys/changes{query}")).await, 400, "M_MISSING_PARAM");
    }
    let pieces = world.fakes.script_sync();
    pieces.send(Err(banyan_proto::status::to_status(&banyan_core::ServiceError::invalid_param("no token")))).await.unwrap();
    assert_error(&world.get(&format!("{V3}/keys/changes?from=x&to=s2")).await, 400, "M_INVALID_PARAM");
    let guest = answer(world.request(Method::GET, &format!("{V3}/keys/changes?from=s1&to=s2"), Some(GUEST_TOKEN))).await;
    assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
}
