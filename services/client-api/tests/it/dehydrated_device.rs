//! Dehydrated devices (MSC3814).

use banyan_core::ServiceError;
use banyan_proto::users::{
    DehydratedDevice, DehydratedDeviceChanged, Device, DeviceChanged, ToDeviceMessage, ToDeviceQueue, ToDeviceReceived,
    user_entry::Kind,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, GUEST_TOKEN, World, answer, assert_error},
};

const DEVICE: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

async fn world_with_device() -> World {
    let world = World::new().await;
    let changed = DeviceChanged { device_id: "D".to_owned(), device: Some(Device::default()) };
    world.user_entry(ALICE, Kind::Device(changed)).await;
    let device = DehydratedDevice { device_id: "D".to_owned(), data: b"{\"algorithm\":\"a\"}".to_vec().into() };
    world.user_entry(ALICE, Kind::DehydratedDevice(DehydratedDeviceChanged { device: Some(device) })).await;
    world
}

async fn message(world: &World, n: u64) {
    let content = json!({"n": n}).to_string().into_bytes().into();
    let received = ToDeviceReceived {
        sender: "@bob:one.test".to_owned(),
        r#type: "m.x".to_owned(),
        messages: vec![ToDeviceMessage { content, device_ids: vec!["D".to_owned()] }],
        queues: vec![ToDeviceQueue { device_id: "D".to_owned(), acknowledged: 0, waiting: n + 1 }],
        ..ToDeviceReceived::default()
    };
    world.user_entry(ALICE, Kind::ToDeviceReceived(received)).await;
}

fn numbers(body: &Value) -> Vec<u64> {
    body["events"].as_array().unwrap().iter().map(|event| event["content"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn it_is_put_whole() {
    let world = World::new().await;
    let body = json!({
        "device_id": "D", "device_data": {"algorithm": "a", "device_pickle": "p"}, "initial_device_display_name": "dehydrated",
        "device_keys": {"user_id": ALICE}, "one_time_keys": {"a:1": "k"}, "fallback_keys": {"a:2": "f"},
    });
    assert_eq!(world.put(DEVICE, body.clone()).await, (http::StatusCode::OK, json!({"device_id": "D"})));
    let Call::PutDehydratedDevice(request) = world.fakes.only() else { panic!("another call") };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!((request.device_id.as_str(), request.display_name.as_str()), ("D", "dehydrated"));
    assert_eq!((json(&request.data), json(&request.device_keys)), (body["device_data"].clone(), body["device_keys"].clone()));
    let other_keys = (json(&request.one_time_keys), json(&request.fallback_keys));
    assert_eq!(other_keys, (body["one_time_keys"].clone(), body["fallback_keys"].clone()));
    for member in ["device_id", "device_data", "device_keys"] {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove(member);
        assert_error(&world.put(DEVICE, body).await, 400, "M_BAD_JSON");
    }
    let mut without = body.clone();
    without["device_data"] = json!({});
    assert_error(&world.put(DEVICE, without).await, 400, "M_BAD_JSON");
    let guest = world.request(Method::PUT, DEVICE, Some(GUEST_TOKEN)).body(body.to_string());
    assert_error(&answer(guest).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("PutDehydratedDevice", ServiceError::invalid_param("another device"));
    assert_error(&world.put(DEVICE, body).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn it_is_read_and_ended() {
    let world = World::new().await;
    assert_error(&world.get(DEVICE).await, 404, "M_NOT_FOUND");
    let world = world_with_device().await;
    assert_eq!(world.get(DEVICE).await.1, json!({"device_id": "D", "device_data": {"algorithm": "a"}}));
    let token = Some(crate::world::ALICE_TOKEN);
    let (status, body) = answer(world.request(Method::DELETE, DEVICE, token)).await;
    assert_eq!((status.as_u16(), body), (200, json!({"device_id": "D"})));
    let Call::DeleteDehydratedDevice(request) = world.fakes.only() else { panic!("another call") };
    assert_eq!(request.caller.unwrap().user_id, ALICE);
    world.fakes.fail("DeleteDehydratedDevice", ServiceError::not_found("none"));
    assert_error(&answer(world.request(Method::DELETE, DEVICE, token)).await, 404, "M_NOT_FOUND");
    let (_, versions) = world.get("/_matrix/client/versions").await;
    assert_eq!(versions["unstable_features"]["org.matrix.msc3814"], true);
}

#[tokio::test]
async fn its_messages_are_read_in_pages_and_stay() {
    let world = world_with_device().await;
    let events = format!("{DEVICE}/D/events");
    assert_eq!(world.get(&events).await.1, json!({"events": []}), "the last page has no token");
    for n in 0..105 {
        message(&world, n).await;
    }
    for _ in 0..2 {
        let (_, first) = world.get(&events).await;
        let from = first["next_batch"].as_str().expect("there are others");
        let (_, rest) = world.get(&format!("{events}?from={from}")).await;
        assert_eq!((numbers(&first), numbers(&rest)), ((0..100).collect(), (100..105).collect()));
        assert_eq!(rest.get("next_batch"), None);
        assert_eq!(first["events"][0], json!({"type": "m.x", "sender": "@bob:one.test", "content": {"n": 0}}));
    }
    assert_eq!(numbers(&world.get(&format!("{events}?limit=2")).await.1), [0, 1]);
    let (mut all, mut body) = (Vec::new(), json!({}));
    loop {
        let (_, page) = world.post(&format!("{events}?limit=50"), body).await;
        body = json!({"next_batch": page["next_batch"].as_str().expect("always a token")});
        if numbers(&page).is_empty() {
            break;
        }
        all.extend(numbers(&page));
    }
    assert_eq!(all, (0..105).collect::<Vec<_>>());
    assert_error(&world.get(&format!("{events}?from=x")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{DEVICE}/DEV/events")).await, 403, "M_FORBIDDEN");
    assert_error(&answer(world.request(Method::GET, &events, Some(GUEST_TOKEN))).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}
