//! Messages to devices.

use banyan_core::ServiceError;
use banyan_proto::userserver::{AcknowledgeToDeviceRequest, Caller, SendToDeviceRequest, ToDeviceRecipient};
use banyan_users::to_device::{self, MAX_CONTENT};
use bytes::Bytes;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:example.org";

fn message(world: &World, txn: &str, to: &str, contents: &[(&str, &str)]) -> SendToDeviceRequest {
    let messages = contents.iter().map(|(device, content)| ((*device).to_owned(), Bytes::copy_from_slice(content.as_bytes())));
    SendToDeviceRequest {
        caller: world.caller(ALICE),
        r#type: "m.test".to_owned(),
        message_id: to_device::message_id(ALICE, "A", "m.test", txn),
        recipients: vec![ToDeviceRecipient { user_id: to.to_owned(), messages: messages.collect() }],
    }
}

async fn send(process: &Process, request: SendToDeviceRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().send_to_device(request).await).map(|_| ())
}

async fn acknowledge(world: &World, process: &Process, device: &str, position: u64) {
    let caller = world.caller(BOB).map(|caller| Caller { device_id: device.to_owned(), ..caller });
    let request = AcknowledgeToDeviceRequest { caller, position };
    answer(process.client.clone().acknowledge_to_device(request).await).expect("acknowledged");
}

/// What waits for a device of Bob's: positions and contents.
async fn waiting(process: &Process, device: &str) -> Vec<(u64, String)> {
    let queue = process.reader().to_device_queue(BOB, device).await.expect("read");
    let rows = process.reader().to_device(BOB, device, (queue.acknowledged, u64::MAX), 1_000).await.expect("read");
    assert_eq!(queue.waiting, rows.len() as u64, "the queue counts what waits");
    rows.into_iter().map(|(position, row)| (position, String::from_utf8(row.content.to_vec()).expect("text"))).collect()
}

async fn contents(process: &Process, device: &str) -> Vec<String> {
    waiting(process, device).await.into_iter().map(|(_, content)| content).collect()
}

/// Bob with the devices B1 and B2.
async fn world() -> (World, Process) {
    let world = World::new();
    let process = world.owner("a").await;
    let mut registration = world.registration(BOB);
    registration.device_id = "B1".to_owned();
    process.register(registration).await.expect("registered");
    login(&world, &process, "B2").await;
    (world, process)
}

async fn login(world: &World, process: &Process, device: &str) -> String {
    let mut login = world.login(BOB);
    login.device_id = device.to_owned();
    process.login(login).await.expect("logged in").access_token
}

#[tokio::test]
async fn messages_wait_in_order_for_the_devices_that_are_meant() {
    let (world, process) = world().await;
    send(&process, message(&world, "1", BOB, &[("B1", "1")])).await.expect("sent");
    send(&process, message(&world, "2", BOB, &[("*", "2")])).await.expect("sent");
    send(&process, message(&world, "3", BOB, &[("*", "3"), ("B1", "4"), ("NONE", "5")])).await.expect("sent");
    assert_eq!(contents(&process, "B1").await, ["1", "2", "4"]);
    assert_eq!(contents(&process, "B2").await, ["2", "3"]);
    assert!(contents(&process, "NONE").await.is_empty());
    send(&process, message(&world, "4", "@nobody:example.org", &[("*", "1")])).await.expect("nobody is no error");
}

#[tokio::test]
async fn a_repeated_transaction_brings_nothing_twice_also_at_the_next_owner() {
    let (world, first) = world().await;
    for _ in 0..2 {
        send(&first, message(&world, "1", BOB, &[("B1", "1")])).await.expect("sent");
    }
    first.kill();
    let second = world.owner("b").await;
    send(&second, message(&world, "1", BOB, &[("B1", "1")])).await.expect("sent");
    send(&second, message(&world, "2", BOB, &[("B1", "1")])).await.expect("sent");
    assert_eq!(contents(&second, "B1").await, ["1", "1"]);
}

#[tokio::test]
async fn what_was_acknowledged_is_gone_for_that_device_and_no_other() {
    let (world, process) = world().await;
    for n in 0..4 {
        send(&process, message(&world, &n.to_string(), BOB, &[("*", &n.to_string())])).await.expect("sent");
    }
    let positions: Vec<u64> = waiting(&process, "B1").await.into_iter().map(|(position, _)| position).collect();
    acknowledge(&world, &process, "B1", positions[2]).await;
    assert_eq!(contents(&process, "B1").await, ["2", "3"]);
    acknowledge(&world, &process, "B1", positions[1]).await;
    assert_eq!(contents(&process, "B1").await, ["2", "3"], "a lower position changes nothing");
    assert_eq!(contents(&process, "B2").await.len(), 4);
    acknowledge(&world, &process, "B1", u64::MAX).await;
    assert!(contents(&process, "B1").await.is_empty());
    send(&process, message(&world, "later", BOB, &[("B1", "later")])).await.expect("sent");
    assert_eq!(contents(&process, "B1").await, ["later"], "what comes after a position from nowhere is not lost");
    let rows = process.reader().to_device(BOB, "B1", (0, u64::MAX), 1_000).await.expect("read");
    assert_eq!(rows.len(), 1, "the rows are gone, too");
}

#[tokio::test]
async fn a_device_that_goes_takes_its_queue_along() {
    let (world, process) = world().await;
    let token = login(&world, &process, "B3").await;
    send(&process, message(&world, "1", BOB, &[("*", "1")])).await.expect("sent");
    process.logout(world.logout(BOB, &token)).await.expect("logged out");
    login(&world, &process, "B3").await;
    assert!(contents(&process, "B3").await.is_empty());
    assert!(process.reader().to_device(BOB, "B3", (0, u64::MAX), 10).await.expect("read").is_empty());
    send(&process, message(&world, "2", BOB, &[("*", "2")])).await.expect("sent");
    assert_eq!(contents(&process, "B3").await, ["2"]);
    assert_eq!(contents(&process, "B1").await, ["1", "2"]);
}

#[tokio::test]
async fn messages_that_are_too_large_are_refused() {
    let (world, process) = world().await;
    let large = format!("\"{}\"", "x".repeat(MAX_CONTENT));
    assert_eq!(refusal(send(&process, message(&world, "1", BOB, &[("B1", &large)])).await).0, "M_TOO_LARGE");
    let named = SendToDeviceRequest { r#type: "x".repeat(256), ..message(&world, "1", BOB, &[("B1", "1")]) };
    assert_eq!(refusal(send(&process, named).await).0, "M_INVALID_PARAM");
    let unnamed = SendToDeviceRequest { message_id: Bytes::new(), ..message(&world, "1", BOB, &[("B1", "1")]) };
    assert!(send(&process, unnamed).await.is_err());
    assert!(contents(&process, "B1").await.is_empty());
}
