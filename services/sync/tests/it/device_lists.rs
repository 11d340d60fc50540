//! Whose devices a client must look at again, and what keys of its own are left.

use banyan_proto::{
    rooms::{DeviceListOfMember, RoomEntry, room_entry::Kind},
    users::{DeviceListChanged, KeyClaimed, KeyPool, KeyPoolFilled, OneTimeKey, OneTimeKeys, user_entry},
};
use serde_json::{Value, json};

use crate::world::{Worker, World, request, since, token};

const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";
const CAROL: &str = "@carol:x";
const ROOM: &str = "!r:x";

impl World {
    /// A member's devices change, as the room is told.
    pub(crate) async fn new_devices(&mut self, room: &str, user: &str) {
        let kind = Some(Kind::DeviceList(DeviceListOfMember { user_id: user.to_owned() }));
        self.append_room(RoomEntry { room_id: room.to_owned(), kind, ..RoomEntry::default() }).await;
    }
}

/// `changed` and `left`.
fn lists(body: &Value) -> (Value, Value) {
    (body["device_lists"]["changed"].clone(), body["device_lists"]["left"].clone())
}

/// A worker that has no tail.
fn late(world: &World) -> Worker {
    let mut late = world.worker();
    late.begin_at_end(world);
    late
}

/// What each kind of worker tells Bob since a token; the one without a tail may tell more, and his own devices always.
async fn told(world: &World, worker: &mut Worker, from: &str) -> (Value, Value) {
    let (changed, left) = lists(&worker.sync(world, since(BOB, from)).await);
    let (late_changed, late_left) = lists(&late(world).sync(world, since(BOB, from)).await);
    for user in changed.as_array().unwrap() {
        assert!(late_changed.as_array().unwrap().contains(user), "{late_changed} lacks {user}");
    }
    assert_eq!(left, late_left);
    (changed, left)
}

async fn start(world: &World, worker: &mut Worker) -> String {
    let body = worker.sync(world, request(BOB)).await;
    assert_eq!(lists(&body), (json!([]), json!([])), "an initial sync tells nothing of them");
    token(&body).to_owned()
}

#[tokio::test]
async fn a_member_s_new_devices_are_told_to_those_in_the_room() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world.create("!other:x", CAROL).await;
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    world.new_devices(ROOM, ALICE).await;
    world.new_devices("!other:x", CAROL).await;
    assert_eq!(told(&world, &mut worker, &first).await, (json!([ALICE]), json!([])));
    assert_eq!(told(&world, &mut worker, &first).await.0, json!([ALICE]), "the response may have been lost");
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(body["rooms"]["join"], json!({}));
    assert_eq!(lists(&worker.sync(&world, since(BOB, token(&body))).await).0, json!([]));
}

#[tokio::test]
async fn those_who_come_are_changed_and_those_who_go_are_left_unless_another_room_is_shared() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    world.join(ROOM, CAROL).await;
    assert_eq!(told(&world, &mut worker, &first).await, (json!([CAROL]), json!([])));
    let second = token(&worker.sync(&world, since(BOB, &first)).await).to_owned();
    world.leave(ROOM, CAROL).await;
    assert_eq!(told(&world, &mut worker, &second).await, (json!([]), json!([CAROL])));
    // Who came and went since an older token is gone, too.
    assert_eq!(told(&world, &mut worker, &first).await, (json!([]), json!([CAROL])));

    world.create("!other:x", ALICE).await;
    world.join("!other:x", BOB).await;
    let third = token(&worker.sync(&world, since(BOB, &second)).await).to_owned();
    world.leave(ROOM, ALICE).await;
    assert_eq!(told(&world, &mut worker, &third).await, (json!([]), json!([])), "another room is shared");
    world.leave("!other:x", ALICE).await;
    assert_eq!(told(&world, &mut worker, &third).await, (json!([]), json!([ALICE])));
}

#[tokio::test]
async fn who_joins_is_told_of_all_members_and_who_leaves_of_all_they_share_no_room_with() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, CAROL).await;
    world.create("!own:x", BOB).await;
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    world.join(ROOM, BOB).await;
    assert_eq!(told(&world, &mut worker, &first).await, (json!([ALICE, CAROL]), json!([])));
    let second = token(&worker.sync(&world, since(BOB, &first)).await).to_owned();
    world.join("!own:x", CAROL).await;
    world.leave(ROOM, BOB).await;
    // Who comes later is nobody the reader shared the room with.
    world.join(ROOM, "@dave:x").await;
    world.new_devices(ROOM, ALICE).await;
    let (changed, left) = told(&world, &mut worker, &second).await;
    assert_eq!((changed, left), (json!([CAROL]), json!([ALICE])));
}

#[tokio::test]
async fn who_left_before_the_reader_came_is_not_told() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, CAROL).await;
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    world.leave(ROOM, CAROL).await;
    world.join(ROOM, BOB).await;
    let (changed, left) = lists(&worker.sync(&world, since(BOB, &first)).await);
    assert_eq!((changed, left), (json!([ALICE]), json!([])));
}

#[tokio::test]
async fn all_members_are_told_once_a_room_is_encrypted() {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    world.send(ROOM, ALICE, crate::rooms::state("m.room.encryption", "", json!({"algorithm": "m.megolm.v1.aes-sha2"}))).await;
    assert_eq!(told(&world, &mut worker, &first).await.0, json!([ALICE]));
}

#[tokio::test]
async fn one_s_own_devices_are_told_to_one_s_other_devices() {
    let mut world = World::new();
    let mut worker = world.worker();
    let first = start(&world, &mut worker).await;
    assert_eq!(told(&world, &mut worker, &first).await.0, json!([]));
    for only_self in [true, false] {
        world.append_user(BOB, user_entry::Kind::DeviceList(DeviceListChanged { only_self })).await;
        assert_eq!(told(&world, &mut worker, &first).await.0, json!([BOB]));
    }
}

#[tokio::test]
async fn keys_that_are_left_are_counted_and_a_claim_wakes_their_device_alone() {
    let mut world = World::new();
    let mut worker = world.worker();
    let body = worker.sync(&world, request(BOB)).await;
    assert_eq!(body["device_one_time_keys_count"], json!({"signed_curve25519": 0}));
    let pool = |claimed: u64| {
        let keys = OneTimeKeys { claimed_upto: claimed, next: 3 };
        Some(KeyPool { one_time: [("signed_curve25519".to_owned(), keys)].into(), ..KeyPool::default() })
    };
    let filled = KeyPoolFilled { device_id: "D".to_owned(), one_time_keys: Vec::new(), pool: pool(0) };
    world.append_user(BOB, user_entry::Kind::KeyPool(filled)).await;
    let body = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(body["device_one_time_keys_count"], json!({"signed_curve25519": 3}));
    assert_eq!(body["device_unused_fallback_key_types"], json!([]));
    let key = Some(OneTimeKey { algorithm: "signed_curve25519".to_owned(), ..OneTimeKey::default() });
    let claimed = KeyClaimed { device_id: "D".to_owned(), key, fallback: false, pool: pool(1) };
    world.append_user(BOB, user_entry::Kind::KeyClaimed(claimed)).await;
    let body = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(body["device_one_time_keys_count"], json!({"signed_curve25519": 2}));
    let other = worker.sync(&world, banyan_sync::app::sync::Request { device: "E".into(), ..request(BOB) }).await;
    assert_eq!(other["device_one_time_keys_count"], json!({"signed_curve25519": 0}));
}
