//! Messages to devices.

use std::time::Duration;

use banyan_proto::users::{ToDeviceDone, ToDeviceMessage, ToDeviceQueue, ToDeviceReceived, user_entry::Kind};
use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::world::{World, request, since, sync, token};

const BOB: &str = "@bob:x";

impl World {
    /// A message for devices of a user, as the userserver would have it.
    pub(crate) async fn tell(&mut self, user: &str, devices: &[&str], body: u64) {
        let devices: Vec<String> = devices.iter().map(|device| (*device).to_owned()).collect();
        let content = json!({ "n": body }).to_string().into();
        let queue = |device: &String| ToDeviceQueue { device_id: device.clone(), waiting: 1, ..ToDeviceQueue::default() };
        let received = ToDeviceReceived {
            sender: "@alice:x".to_owned(),
            r#type: "m.test".to_owned(),
            queues: devices.iter().map(queue).collect(),
            messages: vec![ToDeviceMessage { content, device_ids: devices }],
            ..ToDeviceReceived::default()
        };
        self.append_user(user, Kind::ToDeviceReceived(received)).await;
    }

    /// Does what was asked of the owner; gives the positions.
    pub(crate) async fn acknowledged(&mut self) -> Vec<u64> {
        let asked = std::mem::take(&mut *self.owner.0.lock());
        for (user, device_id, position) in &asked {
            let queue = Some(ToDeviceQueue { device_id: device_id.clone(), acknowledged: *position, waiting: 0 });
            let done = ToDeviceDone { queue, positions: (0..*position).collect() };
            self.append_user(user, Kind::ToDeviceDone(done)).await;
        }
        asked.into_iter().map(|(_, _, position)| position).collect()
    }
}

fn on(device: &str, request: Request) -> Request {
    Request { device: device.into(), ..request }
}

fn told(body: &Value) -> Vec<u64> {
    let events = body["to_device"]["events"].as_array().unwrap();
    assert!(events.iter().all(|event| event["sender"] == "@alice:x" && event["type"] == "m.test"));
    events.iter().map(|event| event["content"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_message_comes_until_its_token_comes_back_and_never_again() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.tell(BOB, &["D", "E"], 1).await;
    world.tell(BOB, &["E"], 2).await;
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(told(&body), [1]);
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), [1], "the response may have been lost");
    assert_eq!(told(&worker.sync(&world, request(BOB)).await), [1], "an initial sync tells what waits");
    assert!(world.acknowledged().await.is_empty());
    let second = token(&body).to_owned();
    let body = worker.sync(&world, since(BOB, &second)).await;
    assert!(told(&body).is_empty());
    assert_eq!(world.acknowledged().await.len(), 1);
    for anew in [since(BOB, &first), request(BOB), since(BOB, &second)] {
        assert!(told(&worker.sync(&world, anew).await).is_empty());
    }
    assert_eq!(told(&worker.sync(&world, on("E", request(BOB))).await), [1, 2], "the other device has a queue of its own");
    assert!(world.acknowledged().await.is_empty(), "nothing is left to acknowledge");
}

#[tokio::test]
async fn a_worker_without_a_tail_tells_and_acknowledges_as_well() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.tell(BOB, &["D"], 1).await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    let body = late.sync(&world, since(BOB, &first)).await;
    assert_eq!(told(&body), [1]);
    let mut other = world.worker();
    other.begin_at_end(&world);
    assert!(told(&other.sync(&world, since(BOB, token(&body))).await).is_empty());
    assert_eq!(world.acknowledged().await.len(), 1);
}

#[tokio::test]
async fn a_backlog_comes_by_hundreds_and_holds_nothing_else_back() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    for n in 0..250 {
        world.tell(BOB, &["D"], n).await;
    }
    world.account_data(BOB, "", "m.direct", &json!({"a": 1})).await;
    let mut body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(body["account_data"]["events"].as_array().unwrap().len(), 1);
    let mut all = told(&body);
    assert_eq!(all.len(), 100);
    for expected in [100, 50, 0] {
        world.acknowledged().await;
        let next = token(&body).to_owned();
        body = worker.sync(&world, since(BOB, &next)).await;
        assert_eq!(told(&body).len(), expected);
        assert_eq!(body["account_data"]["events"], json!([]));
        all.extend(told(&body));
    }
    assert_eq!(all, (0..250).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_message_wakes_its_device_and_no_other() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let poll = |device: &str| {
        let (syncs, poll) = (worker.syncs.clone(), Request { timeout: Duration::from_secs(100), ..on(device, since(BOB, &first)) });
        tokio::spawn(async move { sync(&syncs, poll).await })
    };
    let (mine, other) = (poll("D"), poll("E"));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!mine.is_finished());
    world.tell(BOB, &["D"], 7).await;
    worker.catch_up(&world);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!other.is_finished());
    assert_eq!(told(&mine.await.unwrap().unwrap()), [7]);
    assert!(told(&other.await.unwrap().unwrap()).is_empty());
}
