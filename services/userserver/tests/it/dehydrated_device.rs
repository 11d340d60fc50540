//! Dehydrated devices (MSC3814).

use banyan_core::ServiceError;
use banyan_proto::{
    users::user_entry::Kind,
    userserver::{
        ClaimKeysRequest, DeactivateRequest, DeleteDehydratedDeviceRequest, DeleteDevicesRequest, LoginRequest, LogoutRequest,
        PutDehydratedDeviceRequest, SendToDeviceRequest, ToDeviceRecipient,
    },
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const ALGORITHM: &str = "signed_curve25519";

async fn world() -> (World, Process) {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    (world, process)
}

fn device(world: &World, device_id: &str) -> PutDehydratedDeviceRequest {
    let bytes = |value: Value| Bytes::from(value.to_string());
    let keys = json!({
        "user_id": ALICE, "device_id": device_id, "algorithms": [], "keys": {}, "signatures": {}, "dehydrated": true,
    });
    let one_time: Map<String, Value> =
        (0..3).map(|n| (format!("{ALGORITHM}:{n}"), json!({"key": format!("{device_id}{n}")}))).collect();
    PutDehydratedDeviceRequest {
        caller: world.caller(ALICE),
        device_id: device_id.to_owned(),
        data: bytes(json!({"algorithm": "a", "of": device_id})),
        display_name: "dehydrated".to_owned(),
        device_keys: bytes(keys),
        one_time_keys: bytes(one_time.into()),
        fallback_keys: bytes(json!({format!("{ALGORITHM}:F"): {"key": format!("{device_id}F"), "fallback": true}})),
    }
}

async fn put(process: &Process, request: PutDehydratedDeviceRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().put_dehydrated_device(request).await).map(drop)
}

async fn delete(world: &World, process: &Process) -> Result<String, ServiceError> {
    let request = DeleteDehydratedDeviceRequest { caller: world.caller(ALICE) };
    answer(process.client.clone().delete_dehydrated_device(request).await).map(|answer| answer.device_id)
}

async fn dehydrated(process: &Process) -> Option<String> {
    process.reader().dehydrated_device(ALICE).await.expect("read").map(|device| device.device_id)
}

async fn send(world: &World, process: &Process, device_id: &str, n: u8) {
    let messages = [(device_id.to_owned(), b"{}".to_vec().into())].into();
    let request = SendToDeviceRequest {
        caller: world.caller(ALICE),
        r#type: "m.x".to_owned(),
        message_id: vec![n; 16].into(),
        recipients: vec![ToDeviceRecipient { user_id: ALICE.to_owned(), messages }],
    };
    answer(process.client.clone().send_to_device(request).await).expect("sent");
}

async fn waiting(process: &Process, device_id: &str) -> usize {
    let reader = process.reader();
    let from = reader.to_device_queue(ALICE, device_id).await.expect("read").acknowledged;
    reader.to_device(ALICE, device_id, (from, u64::MAX), 100).await.expect("read").len()
}

/// The key that a claim gets of a device.
async fn claim(world: &World, process: &Process, device_id: &str) -> Option<String> {
    let devices = [(device_id.to_owned(), ALGORITHM.to_owned())].into();
    let request = ClaimKeysRequest { caller: world.caller(ALICE), devices };
    let claimed = answer(process.client.clone().claim_keys(request).await).expect("claimed").keys;
    let key: Value = serde_json::from_slice(&claimed.get(device_id)?.key).expect("JSON");
    Some(key["key"].as_str().expect("a key").to_owned())
}

/// Whether nothing is left of a device.
async fn is_gone(process: &Process, device_id: &str) -> bool {
    let reader = process.reader();
    let device = reader.device(ALICE, device_id).await.expect("read");
    let keys = reader.device_key(ALICE, device_id).await.expect("read");
    let pool = reader.key_pool(ALICE, device_id).await.expect("read");
    device.is_none() && keys.is_none() && pool.is_none() && waiting(process, device_id).await == 0
}

#[tokio::test]
async fn it_is_a_device_with_keys_that_messages_wait_for() {
    let (world, process) = world().await;
    assert_eq!((dehydrated(&process).await, refusal(delete(&world, &process).await).0), (None, "M_NOT_FOUND".to_owned()));
    let request = device(&world, "D");
    let request_id = banyan_core::RequestId::from_slice(&request.caller.as_ref().expect("a caller").request_id).expect("an id");
    put(&process, request.clone()).await.expect("put");
    put(&process, request).await.expect("done already");
    let did = process.did(world.log_of(ALICE), request_id).await;
    assert_eq!(did.iter().filter(|kind| matches!(kind, Kind::DeviceList(_))).count(), 1, "others are told once");
    let reader = process.reader();
    let row = reader.dehydrated_device(ALICE).await.expect("read").expect("a device");
    assert_eq!((row.device_id.as_str(), &row.data[..]), ("D", &br#"{"algorithm":"a","of":"D"}"#[..]));
    let shown = reader.device(ALICE, "D").await.expect("read").expect("a device");
    assert_eq!((shown.display_name.as_str(), shown.token_hashes.len()), ("dehydrated", 0));
    let keys = reader.device_key(ALICE, "D").await.expect("read").expect("keys").keys;
    assert_eq!(serde_json::from_slice::<Value>(&keys).expect("JSON")["dehydrated"], true, "as they were uploaded");
    send(&world, &process, "D", 1).await;
    send(&world, &process, "*", 2).await;
    assert_eq!(waiting(&process, "D").await, 2);
    let mut claimed = Vec::new();
    for _ in 0..5 {
        claimed.extend(claim(&world, &process, "D").await);
    }
    assert_eq!(claimed, ["D0", "D1", "D2", "DF", "DF"]);
}

#[tokio::test]
async fn another_one_takes_its_place_also_under_the_same_id() {
    let (world, process) = world().await;
    put(&process, device(&world, "D")).await.expect("put");
    send(&world, &process, "D", 1).await;
    put(&process, device(&world, "E")).await.expect("put");
    assert!(is_gone(&process, "D").await);
    assert_eq!((dehydrated(&process).await.as_deref(), claim(&world, &process, "E").await.as_deref()), (Some("E"), Some("E0")));
    send(&world, &process, "E", 2).await;
    let mut again = device(&world, "E");
    again.one_time_keys = Bytes::from(json!({format!("{ALGORITHM}:0"): {"key": "new"}}).to_string());
    put(&process, again).await.expect("put");
    assert_eq!(waiting(&process, "E").await, 0, "what was meant for the one before");
    let claimed = (claim(&world, &process, "E").await, claim(&world, &process, "E").await);
    assert_eq!(claimed, (Some("new".to_owned()), Some("EF".to_owned())));
    assert_eq!(delete(&world, &process).await.expect("deleted"), "E");
    assert!(is_gone(&process, "E").await && dehydrated(&process).await.is_none());
}

#[tokio::test]
async fn what_is_none_is_refused() {
    let (world, process) = world().await;
    let login = LoginRequest { device_id: "PHONE".to_owned(), ..world.login(ALICE) };
    process.login(login).await.expect("logged in");
    assert_eq!(refusal(put(&process, device(&world, "PHONE")).await).0, "M_INVALID_PARAM");
    assert_eq!(
        refusal(put(&process, PutDehydratedDeviceRequest { device_id: "E".to_owned(), ..device(&world, "D") }).await).0,
        "M_INVALID_PARAM"
    );
    assert_eq!(refusal(put(&process, device(&world, "")).await).0, "M_INVALID_PARAM");
    assert_eq!(refusal(put(&process, device(&world, &"D".repeat(256))).await).0, "M_INVALID_PARAM");
    let keyless = PutDehydratedDeviceRequest { device_keys: Bytes::from_static(b"{}"), ..device(&world, "D") };
    assert_eq!(refusal(put(&process, keyless).await).0, "M_BAD_JSON");
    let large = PutDehydratedDeviceRequest { data: vec![b' '; 64 * 1024 + 1].into(), ..device(&world, "D") };
    assert_eq!(refusal(put(&process, large).await).0, "M_TOO_LARGE");
    let many: Map<String, Value> = (0..150).map(|n| (format!("{ALGORITHM}:{n}"), json!("k".repeat(4000)))).collect();
    let many = PutDehydratedDeviceRequest { one_time_keys: Value::from(many).to_string().into(), ..device(&world, "D") };
    assert_eq!(refusal(put(&process, many).await).0, "M_TOO_LARGE");
    assert_eq!(dehydrated(&process).await, None);
}

#[tokio::test]
async fn it_ends_as_any_device_does() {
    let (world, process) = world().await;
    put(&process, device(&world, "D")).await.expect("put");
    let request = DeleteDevicesRequest { caller: world.caller(ALICE), device_ids: vec!["D".to_owned()] };
    answer(process.client.clone().delete_devices(request).await).expect("deleted");
    assert!(is_gone(&process, "D").await && dehydrated(&process).await.is_none());
    put(&process, device(&world, "E")).await.expect("put");
    process.logout(LogoutRequest { caller: world.caller(ALICE), all: true, ..LogoutRequest::default() }).await.expect("out");
    assert!(is_gone(&process, "E").await && dehydrated(&process).await.is_none());
    put(&process, device(&world, "F")).await.expect("put");
    process.login(LoginRequest { device_id: "F".to_owned(), ..world.login(ALICE) }).await.expect("logged in");
    assert_eq!(dehydrated(&process).await, None, "who is logged in on it has restored it");
    put(&process, device(&world, "G")).await.expect("put");
    process.deactivate_account(DeactivateRequest { caller: world.caller(ALICE), erase: false }).await.expect("deactivated");
    assert!(is_gone(&process, "G").await && dehydrated(&process).await.is_none());
    assert_eq!(refusal(put(&process, device(&world, "H")).await).0, "M_USER_DEACTIVATED");
}

#[tokio::test]
async fn another_owner_has_it_whole() {
    let (world, first) = world().await;
    put(&first, device(&world, "D")).await.expect("put");
    first.kill();
    world.store.control().crash();
    let second = world.owner("b").await;
    // A command waits until all rows are there.
    assert_eq!(claim(&world, &second, "D").await.as_deref(), Some("D0"));
    assert_eq!(dehydrated(&second).await.as_deref(), Some("D"));
}
