//! Keys of devices: published, given out once, and gone with their device.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use banyan_core::{RequestId, ServiceError};
use banyan_proto::{
    users::user_entry::Kind,
    userserver::{
        Caller, ClaimKeysRequest, DeleteDevicesRequest, UpdateDeviceRequest, UploadCrossSigningKeysRequest, UploadKeysRequest,
        UploadSignaturesRequest, UploadSignaturesResponse,
    },
};
use banyan_users::keys::cross_signing::KeySet;
use bytes::Bytes;
use ruma::{
    CanonicalJsonObject,
    serde::{Base64, base64::Standard},
    signatures::{Ed25519KeyPair, sign_json},
};
use serde_json::{Value, json};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:example.org";
const ALGORITHM: &str = "signed_curve25519";

fn text(value: &Value) -> Bytes {
    value.to_string().into()
}

fn on(world: &World, user: &str, device: &str) -> Option<Caller> {
    world.caller(user).map(|caller| Caller { device_id: device.to_owned(), ..caller })
}

fn identity(user: &str, device: &str) -> Value {
    json!({
        "user_id": user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{device}"): "key"}, "signatures": {user: {format!("ed25519:{device}"): "signature"}},
    })
}

fn one_time(names: impl IntoIterator<Item = usize>) -> Value {
    names
        .into_iter()
        .map(|n| (format!("{ALGORITHM}:{n:04}"), json!({"key": n.to_string()})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn upload(process: &Process, request: UploadKeysRequest) -> Result<u64, ServiceError> {
    let counts = answer(process.client.clone().upload_keys(request).await)?.one_time_key_counts;
    Ok(counts.get(ALGORITHM).copied().unwrap_or_default())
}

async fn upload_one_time(world: &World, process: &Process, keys: Value) -> Result<u64, ServiceError> {
    let request = UploadKeysRequest { caller: on(world, BOB, "B"), one_time_keys: text(&keys), ..UploadKeysRequest::default() };
    upload(process, request).await
}

async fn claim(world: &World, process: &Process, device: &str, request_id: RequestId) -> Result<Option<String>, ServiceError> {
    let devices = HashMap::from([(device.to_owned(), ALGORITHM.to_owned())]);
    let request = ClaimKeysRequest { caller: world.caller_again(BOB, request_id), devices };
    let mut keys = answer(process.client.clone().claim_keys(request).await)?.keys;
    Ok(keys.remove(device).map(|key| key.key_id))
}

/// Bob with a device B.
async fn world() -> (World, Process) {
    let world = World::new();
    let process = world.owner("a").await;
    register(&world, &process, BOB, "B").await;
    (world, process)
}

async fn register(world: &World, process: &Process, user: &str, device: &str) {
    let mut registration = world.registration(user);
    registration.device_id = device.to_owned();
    process.register(registration).await.expect("registered");
}

#[tokio::test]
async fn keys_are_given_in_the_order_they_came_and_then_the_fallback_key() {
    let (world, process) = world().await;
    assert_eq!(upload_one_time(&world, &process, one_time([2])).await.expect("uploaded"), 1);
    assert_eq!(upload_one_time(&world, &process, one_time([0, 1])).await.expect("uploaded"), 3);
    let fallback = json!({format!("{ALGORITHM}:F"): {"key": "f", "fallback": true}});
    let request =
        UploadKeysRequest { caller: on(&world, BOB, "B"), fallback_keys: text(&fallback), ..UploadKeysRequest::default() };
    assert_eq!(upload(&process, request.clone()).await.expect("uploaded"), 3);
    let counts = process.reader().key_counts(BOB, "B").await.expect("read");
    assert_eq!(counts.unused_fallback, [ALGORITHM]);
    let mut given = Vec::new();
    for _ in 0..5 {
        given.extend(claim(&world, &process, "B", world.request_id()).await.expect("claimed"));
    }
    assert_eq!(given[0], format!("{ALGORITHM}:0002"));
    given[1..3].sort_unstable();
    assert_eq!(given[1..], ["0000", "0001", "F", "F"].map(|name| format!("{ALGORITHM}:{name}")));
    let counts = process.reader().key_counts(BOB, "B").await.expect("read");
    assert_eq!((counts.one_time.get(ALGORITHM), counts.unused_fallback.len()), (Some(&0), 0));
    // Another one is not used.
    let fallback = json!({format!("{ALGORITHM}:G"): {"key": "g", "fallback": true}});
    let request = UploadKeysRequest { caller: on(&world, BOB, "B"), fallback_keys: text(&fallback), ..request };
    upload(&process, request).await.expect("uploaded");
    assert_eq!(process.reader().key_counts(BOB, "B").await.expect("read").unused_fallback, [ALGORITHM]);
    assert_eq!(claim(&world, &process, "NONE", world.request_id()).await.expect("claimed"), None);
}

#[tokio::test]
async fn a_key_that_comes_again_is_the_same_and_another_under_its_name_is_refused() {
    let (world, process) = world().await;
    let log = world.log_of(BOB);
    upload_one_time(&world, &process, one_time(0..3)).await.expect("uploaded");
    let before = process.applied(log);
    assert_eq!(upload_one_time(&world, &process, one_time(0..3)).await.expect("uploaded"), 3);
    assert_eq!(process.applied(log), before, "nothing is new");
    let other = json!({format!("{ALGORITHM}:0001"): {"key": "other"}});
    assert_eq!(refusal(upload_one_time(&world, &process, other).await).0, "M_UNKNOWN");
    // One that was given away does not come back.
    let given = claim(&world, &process, "B", world.request_id()).await.expect("claimed").expect("a key");
    assert_eq!(upload_one_time(&world, &process, one_time(0..3)).await.expect("uploaded"), 2);
    let mut rest = Vec::new();
    while let Some(key) = claim(&world, &process, "B", world.request_id()).await.expect("claimed") {
        rest.push(key);
    }
    assert!(rest.len() == 2 && !rest.contains(&given), "{rest:?}");
}

#[tokio::test]
async fn a_claim_that_is_repeated_gets_the_same_key() {
    let (world, process) = world().await;
    upload_one_time(&world, &process, one_time(0..3)).await.expect("uploaded");
    let request_id = world.request_id();
    let first = claim(&world, &process, "B", request_id).await.expect("claimed");
    assert_eq!(claim(&world, &process, "B", request_id).await.expect("claimed"), first);
    assert_ne!(claim(&world, &process, "B", world.request_id()).await.expect("claimed"), first);
}

#[tokio::test]
async fn a_thousand_claims_of_five_hundred_keys_over_two_owners_give_each_key_once() {
    let (world, first) = world().await;
    for n in 0..10 {
        upload_one_time(&world, &first, one_time(n * 50..(n + 1) * 50)).await.expect("uploaded");
    }
    let fallback = text(&json!({format!("{ALGORITHM}:F"): {"key": "f", "fallback": true}}));
    let request = UploadKeysRequest { caller: on(&world, BOB, "B"), fallback_keys: fallback, ..UploadKeysRequest::default() };
    upload(&first, request).await.expect("uploaded");
    let second = world.process("b");
    let (world, owners) = (Arc::new(world), Arc::new([first, second]));
    let done = Arc::new(AtomicUsize::new(0));
    let connection = |_| {
        let (world, owners, done) = (world.clone(), owners.clone(), done.clone());
        tokio::spawn(async move {
            let mut given = Vec::new();
            for _ in 0..50 {
                let request_id = world.request_id();
                // As the router does: whoever does not own the shard is asked no more.
                for owner in owners.iter().cycle() {
                    if let Ok(key) = claim(&world, owner, "B", request_id).await {
                        given.push(key);
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            given
        })
    };
    let connections: Vec<_> = (0..20).map(connection).collect();
    while done.load(Ordering::Relaxed) < 200 {
        tokio::task::yield_now().await;
    }
    owners[1].claim(world.log_of(BOB)).await;
    let mut given = HashMap::<String, usize>::new();
    for connection in connections {
        for key in connection.await.expect("a connection") {
            *given.entry(key.expect("a key")).or_default() += 1;
        }
    }
    assert_eq!(given.remove(&format!("{ALGORITHM}:F")), Some(500));
    assert!(given.len() == 500 && given.values().all(|count| *count == 1), "{given:?}");
}

#[tokio::test]
async fn only_the_device_itself_has_keys_and_what_is_wrong_is_refused() {
    let (world, process) = world().await;
    let request = |device: &str, keys: &Value| UploadKeysRequest {
        caller: on(&world, BOB, device),
        device_keys: text(keys),
        ..UploadKeysRequest::default()
    };
    assert_eq!(refusal(upload(&process, request("", &identity(BOB, "B"))).await).0, "M_UNKNOWN");
    assert_eq!(refusal(upload(&process, request("C", &identity(BOB, "C"))).await).0, "M_NOT_FOUND");
    assert_eq!(refusal(upload(&process, request("B", &identity(ALICE, "B"))).await).0, "M_INVALID_PARAM");
    assert_eq!(refusal(upload(&process, request("B", &json!({"user_id": BOB}))).await).0, "M_BAD_JSON");
    assert!(process.reader().device_key(BOB, "B").await.expect("read").is_none());
    upload(&process, request("B", &identity(BOB, "B"))).await.expect("uploaded");
    assert!(process.reader().device_key(BOB, "B").await.expect("read").is_some());
}

#[tokio::test]
async fn keys_go_with_their_device() {
    let (world, process) = world().await;
    let mut login = world.login(BOB);
    login.device_id = "C".to_owned();
    let token = process.login(login).await.expect("logged in").access_token;
    for device in ["B", "C"] {
        let (device_keys, one_time_keys) = (text(&identity(BOB, device)), text(&one_time(0..3)));
        let request =
            UploadKeysRequest { caller: on(&world, BOB, device), device_keys, one_time_keys, ..UploadKeysRequest::default() };
        upload(&process, request).await.expect("uploaded");
    }
    let delete = |devices: &[&str]| {
        let device_ids = devices.iter().map(|device| (*device).to_owned()).collect();
        let request = DeleteDevicesRequest { caller: world.caller(BOB), device_ids };
        let mut client = process.client.clone();
        async move { answer(client.delete_devices(request).await).expect("deleted") }
    };
    delete(&["C", "NONE"]).await;
    assert!(!process.works(&token).await);
    assert_eq!(process.reader().device_keys(BOB).await.expect("read").into_keys().collect::<Vec<_>>(), ["B"]);
    assert_eq!(claim(&world, &process, "C", world.request_id()).await.expect("claimed"), None);
    assert!(process.reader().one_time_keys(BOB, "C", ALGORITHM, 0).await.expect("read").is_empty());
    delete(&["B"]).await;
    assert!(process.reader().devices(BOB).await.expect("read").is_empty());
}

#[tokio::test]
async fn a_device_is_named_by_its_user() {
    let (world, process) = world().await;
    let rename = |device: &str, name: Option<&str>| {
        let (caller, seen_at) = (world.caller(BOB), String::new());
        let display_name = name.map(str::to_owned);
        let request = UpdateDeviceRequest { caller, device_id: device.to_owned(), display_name, seen_at };
        let mut client = process.client.clone();
        async move { answer(client.update_device(request).await).map(|_| ()) }
    };
    rename("B", Some("phone")).await.expect("renamed");
    rename("B", None).await.expect("left as it is");
    assert_eq!(process.reader().device(BOB, "B").await.expect("read").expect("a device").display_name, "phone");
    assert_eq!(refusal(rename("NONE", Some("x")).await).0, "M_NOT_FOUND");
    assert_eq!(refusal(rename("B", Some(&"x".repeat(1025))).await).0, "M_INVALID_PARAM");
}

/// A key pair of a user, and what it signs.
struct Pair {
    user: &'static str,
    public_key: String,
    pair: Ed25519KeyPair,
}

impl Pair {
    fn new(user: &'static str, version: Option<&str>) -> Self {
        let document = Ed25519KeyPair::generate();
        let bytes = Ed25519KeyPair::from_der(&document, "x".to_owned()).expect("a pair").public_key();
        let public_key = Base64::<Standard, _>::new(bytes).encode();
        let version = version.map_or_else(|| public_key.clone(), str::to_owned);
        Self { user, public_key, pair: Ed25519KeyPair::from_der(&document, version).expect("a pair") }
    }

    fn key(&self, usage: &str) -> Value {
        json!({"user_id": self.user, "usage": [usage], "keys": {format!("ed25519:{}", self.public_key): self.public_key}})
    }

    fn sign(&self, value: &Value) -> Value {
        let mut object: CanonicalJsonObject = serde_json::from_value(value.clone()).expect("canonical JSON");
        sign_json(self.user, &self.pair, &mut object).expect("signed");
        serde_json::to_value(object).expect("JSON")
    }
}

/// The three keys of a user.
struct Keys {
    master: Pair,
    self_signing: Pair,
    user_signing: Pair,
}

impl Keys {
    fn new(user: &'static str) -> Self {
        let pair = || Pair::new(user, None);
        Self { master: pair(), self_signing: pair(), user_signing: pair() }
    }

    fn upload(&self, world: &World, confirmed: bool) -> UploadCrossSigningKeysRequest {
        UploadCrossSigningKeysRequest {
            caller: world.caller(self.master.user),
            master_key: text(&self.master.key("master")),
            self_signing_key: text(&self.master.sign(&self.self_signing.key("self_signing"))),
            user_signing_key: text(&self.master.sign(&self.user_signing.key("user_signing"))),
            confirmed,
        }
    }
}

async fn upload_cross_signing(process: &Process, request: UploadCrossSigningKeysRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().upload_cross_signing_keys(request).await).map(|_| ())
}

#[tokio::test]
async fn cross_signing_keys_are_replaced_only_after_a_confirmation() {
    let (world, process) = world().await;
    let (first, second) = (Keys::new(BOB), Keys::new(BOB));
    upload_cross_signing(&process, first.upload(&world, false)).await.expect("the first ones");
    upload_cross_signing(&process, first.upload(&world, false)).await.expect("the same ones");
    assert_eq!(refusal(upload_cross_signing(&process, second.upload(&world, false)).await).0, "M_FORBIDDEN");
    let mut unsigned = second.upload(&world, true);
    unsigned.self_signing_key = text(&second.self_signing.key("self_signing"));
    assert_eq!(refusal(upload_cross_signing(&process, unsigned).await).0, "M_INVALID_SIGNATURE");
    upload_cross_signing(&process, second.upload(&world, true)).await.expect("confirmed");
    let stored = process.reader().cross_signing_keys(BOB).await.expect("read");
    assert_eq!(stored.master.expect("a key").public_key, second.master.public_key);
    let nobody = UploadCrossSigningKeysRequest { caller: world.caller(ALICE), ..Keys::new(ALICE).upload(&world, false) };
    upload_cross_signing(&process, nobody).await.expect_err("an account that is not there");
}

async fn upload_signatures(world: &World, process: &Process, user: &str, signatures: Value) -> Value {
    let request = UploadSignaturesRequest { caller: world.caller(user), signatures: text(&signatures) };
    let answer: UploadSignaturesResponse = answer(process.client.clone().upload_signatures(request).await).expect("an answer");
    serde_json::from_slice(&answer.failures).expect("JSON")
}

#[tokio::test]
async fn signatures_are_kept_where_the_key_that_made_them_may() {
    let (world, process) = world().await;
    register(&world, &process, ALICE, "A").await;
    let (alice, bob) = (Keys::new(ALICE), Keys::new(BOB));
    for keys in [&alice, &bob] {
        upload_cross_signing(&process, keys.upload(&world, false)).await.expect("uploaded");
    }
    let device = Pair::new(BOB, Some("B"));
    let mut keys = identity(BOB, "B");
    keys["keys"]["ed25519:B"] = json!(device.public_key);
    let request = UploadKeysRequest { caller: on(&world, BOB, "B"), device_keys: text(&keys), ..UploadKeysRequest::default() };
    upload(&process, request).await.expect("uploaded");

    let of_device = bob.self_signing.sign(&keys);
    let of_master = device.sign(&bob.master.key("master"));
    let of_other = bob.user_signing.sign(&alice.master.key("master"));
    let all = json!({BOB: {"B": of_device, &bob.master.public_key: of_master}, ALICE: {&alice.master.public_key: of_other}});
    assert_eq!(upload_signatures(&world, &process, BOB, all.clone()).await, json!({}));
    assert_eq!(process.reader().key_signatures(BOB, BOB).await.expect("read").len(), 2);
    assert_eq!(process.reader().key_signatures(BOB, ALICE).await.expect("read").len(), 1);
    assert!(process.reader().key_signatures(ALICE, BOB).await.expect("read").is_empty());

    // What is not by the right key, of another object, or of nothing that is there.
    let mut changed = bob.self_signing.sign(&keys);
    changed["algorithms"] = json!([]);
    let wrong = json!({
        BOB: {"B": bob.user_signing.sign(&keys), "NONE": of_device},
        ALICE: {&alice.master.public_key: bob.self_signing.sign(&alice.master.key("master"))},
    });
    let failures = upload_signatures(&world, &process, BOB, wrong).await;
    let code = |user: &str, key: &str| failures[user][key]["errcode"].as_str().unwrap_or_default().to_owned();
    assert_eq!(code(BOB, "B"), "M_INVALID_SIGNATURE", "{failures}");
    assert_eq!(code(BOB, "NONE"), "M_NOT_FOUND");
    assert_eq!(code(ALICE, &alice.master.public_key), "M_INVALID_SIGNATURE");
    let failures = upload_signatures(&world, &process, BOB, json!({BOB: {"B": changed}})).await;
    assert_eq!(failures[BOB]["B"]["errcode"], "M_INVALID_PARAM");

    // Other identity keys of the device: what was signed of the old ones is void.
    keys["algorithms"] = json!(["other"]);
    let request = UploadKeysRequest { caller: on(&world, BOB, "B"), device_keys: text(&keys), ..UploadKeysRequest::default() };
    upload(&process, request).await.expect("uploaded");
    let left = process.reader().key_signatures(BOB, BOB).await.expect("read");
    assert!(left.iter().all(|signature| signature.target_key != "B"), "{left:?}");
}

/// What a request told others of the user's devices: for each entry, whether it is for the user's own devices only.
async fn told(process: &Process, world: &World, caller: Option<Caller>) -> Vec<bool> {
    let request_id = RequestId::from_slice(&caller.expect("a caller").request_id).expect("a request id");
    let entries = process.did(world.log_of(BOB), request_id).await;
    let only_self = |kind: Kind| if let Kind::DeviceList(changed) = kind { Some(changed.only_self) } else { None };
    entries.into_iter().filter_map(only_self).collect()
}

#[tokio::test]
async fn what_others_see_is_told_and_nothing_else() {
    let (world, process) = world().await;
    let mut login = world.login(BOB);
    login.device_id = "C".to_owned();
    process.login(login).await.expect("logged in");
    let device = Pair::new(BOB, Some("B"));
    let mut keys = identity(BOB, "B");
    keys["keys"]["ed25519:B"] = json!(device.public_key);
    let uploads = [(text(&keys), Bytes::new()), (text(&keys), text(&one_time(0..3))), (Bytes::new(), text(&one_time(3..6)))];
    for ((device_keys, one_time_keys), expected) in uploads.into_iter().zip([vec![false], vec![], vec![]]) {
        let caller = on(&world, BOB, "B");
        let request = UploadKeysRequest { caller: caller.clone(), device_keys, one_time_keys, ..UploadKeysRequest::default() };
        upload(&process, request).await.expect("uploaded");
        assert_eq!(told(&process, &world, caller).await, expected);
    }
    for (device_id, seen_at, expected) in [("B", "", vec![false]), ("B", "1.2.3.4", vec![]), ("C", "", vec![])] {
        let (caller, display_name) = (world.caller(BOB), Some("name".to_owned()));
        let (device_id, seen_at) = (device_id.to_owned(), seen_at.to_owned());
        let request = UpdateDeviceRequest { caller: caller.clone(), device_id, display_name, seen_at };
        answer(process.client.clone().update_device(request).await).expect("changed");
        assert_eq!(told(&process, &world, caller).await, expected);
    }

    let (own, other) = (Keys::new(BOB), Keys { user_signing: Pair::new(BOB, None), ..Keys::new(BOB) });
    let first = own.upload(&world, false);
    upload_cross_signing(&process, first.clone()).await.expect("uploaded");
    assert_eq!(told(&process, &world, first.caller).await, [false]);
    let user_signing_key = text(&own.master.sign(&other.user_signing.key("user_signing")));
    let second = UploadCrossSigningKeysRequest { user_signing_key, ..own.upload(&world, true) };
    upload_cross_signing(&process, second.clone()).await.expect("uploaded");
    assert_eq!(told(&process, &world, second.caller).await, [true]);

    register(&world, &process, ALICE, "A").await;
    let alice = Keys::new(ALICE);
    upload_cross_signing(&process, alice.upload(&world, false)).await.expect("uploaded");
    let of_other = json!({ALICE: {&alice.master.public_key: other.user_signing.sign(&alice.master.key("master"))}});
    let of_own = json!({BOB: {"B": own.self_signing.sign(&keys)}});
    for (signatures, expected) in [(&of_other, vec![true]), (&of_own, vec![false]), (&of_own, vec![])] {
        let request = UploadSignaturesRequest { caller: world.caller(BOB), signatures: text(signatures) };
        answer(process.client.clone().upload_signatures(request.clone()).await).expect("uploaded");
        assert_eq!(told(&process, &world, request.caller).await, expected);
    }

    for (device, expected) in [("C", vec![]), ("B", vec![false])] {
        let request = DeleteDevicesRequest { caller: world.caller(BOB), device_ids: vec![device.to_owned()] };
        answer(process.client.clone().delete_devices(request.clone()).await).expect("deleted");
        assert_eq!(told(&process, &world, request.caller).await, expected);
    }
}

#[tokio::test]
async fn a_cross_signing_key_is_not_named_like_a_device() {
    let (world, process) = world().await;
    let keys = Keys::new(BOB);
    let mut login = world.login(BOB);
    login.device_id = keys.self_signing.public_key.clone();
    process.login(login).await.expect("logged in");
    assert_eq!(refusal(upload_cross_signing(&process, keys.upload(&world, false)).await).0, "M_FORBIDDEN");
    assert_eq!(process.reader().cross_signing_keys(BOB).await.expect("read"), KeySet::default());
}
