//! The extension `e2ee`.

use banyan_proto::users::{KeyPool, KeyPoolFilled, OneTimeKeys, user_entry};
use banyan_sync::sliding::Request;
use serde_json::{Value, json};

use crate::{
    rooms::member,
    sliding::{ask, pos},
    world::World,
};

const ROOM: &str = "!r:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

/// A connection for encryption alone: no list, no subscription.
fn wish() -> Value {
    json!({"conn_id": "encryption", "extensions": {"e2ee": {"enabled": true}}})
}

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    world
}

fn e2ee(body: &Value) -> &Value {
    &body["extensions"]["e2ee"]
}

impl World {
    async fn new_keys(&mut self, user: &str, device: &str, count: u64) {
        let keys = OneTimeKeys { claimed_upto: 0, next: count };
        let pool = KeyPool { one_time: [("signed_curve25519".to_owned(), keys)].into(), ..KeyPool::default() };
        let filled = KeyPoolFilled { device_id: device.to_owned(), one_time_keys: Vec::new(), pool: Some(pool) };
        self.append_user(user, user_entry::Kind::KeyPool(filled)).await;
    }
}

#[tokio::test]
async fn counts_come_always_and_device_lists_when_they_change() {
    let mut world = world().await;
    world.new_keys(ME, "D", 3).await;
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &wish())).await;
    let counts = json!({"device_one_time_keys_count": {"signed_curve25519": 3}, "device_unused_fallback_key_types": []});
    assert_eq!(e2ee(&first), &counts);
    let quiet = worker.slide(&world, ask(ME, Some(pos(&first)), &wish())).await;
    assert_eq!(e2ee(&quiet), &counts);
    world.new_devices(ROOM, ZOE).await;
    let lists = |body: &Value| e2ee(body)["device_lists"].clone();
    let next = worker.slide(&world, ask(ME, Some(pos(&quiet)), &wish())).await;
    assert_eq!(lists(&next), json!({"changed": [ZOE], "left": []}));
    assert_eq!(lists(&worker.slide(&world, ask(ME, Some(pos(&quiet)), &wish())).await), lists(&next), "it may have been lost");
    let mut late = world.worker();
    late.begin_at_end(&world);
    let from_rows = late.slide(&world, ask(ME, Some(pos(&quiet)), &wish())).await;
    assert!(lists(&from_rows)["changed"].as_array().unwrap().contains(&json!(ZOE)));
    world.send(ROOM, ZOE, member(ZOE, "leave")).await;
    let parted = worker.slide(&world, ask(ME, Some(pos(&next)), &wish())).await;
    assert_eq!(lists(&parted), json!({"changed": [], "left": [ZOE]}));
    let without = json!({"conn_id": "encryption", "extensions": {"e2ee": {"enabled": false}}});
    assert_eq!(worker.slide(&world, ask(ME, Some(pos(&next)), &without)).await["extensions"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn new_devices_and_keys_of_one_s_own_wake_who_asks_for_them() {
    let mut world = world().await;
    let mut worker = world.worker();
    for own_keys in [true, false] {
        let first = worker.slide(&world, ask(ME, None, &wish())).await;
        let request = Request { timeout: std::time::Duration::from_secs(100), ..ask(ME, Some(pos(&first)), &wish()) };
        let sliding = worker.sliding.clone();
        let poll = tokio::spawn(async move { crate::world::collect(async |sink| sliding.sync(request, sink).await).await });
        // Keys of another device, and an event in a room, are nothing to it.
        world.new_keys(ME, "E", 7).await;
        world.say(ROOM, ZOE, "hi").await;
        worker.catch_up(&world);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        assert!(!poll.is_finished());
        if own_keys {
            world.new_keys(ME, "D", 5).await;
        } else {
            world.new_devices(ROOM, ZOE).await;
        }
        worker.catch_up(&world);
        let body = poll.await.unwrap().unwrap();
        assert_eq!(e2ee(&body)["device_one_time_keys_count"]["signed_curve25519"], 5);
        assert_eq!(e2ee(&body).get("device_lists").is_none(), own_keys);
    }
}
