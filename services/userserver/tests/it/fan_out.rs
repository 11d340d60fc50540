//! Rooms are told when a member's devices or profile change.

use std::{sync::atomic::Ordering, time::Duration};

use banyan_core::LogId;
use banyan_log::{Applier as _, Entry};
use banyan_proto::{
    rooms::{CurrentChange, RoomEntry},
    users::{DeviceListChanged, ProfileChanged, user_entry::Kind},
};
use banyan_rooms::apply::RoomApplier;
use banyan_store::{TableStore as _, WriteBatch};
use prost::Message as _;

use crate::world::{Changed, Process, World};

const BOB: &str = "@bob:example.org";
const ALICE: &str = "@alice:example.org";

/// Lets a user join a room, as far as the tables know.
async fn join(world: &World, user: &str, room: &str) {
    let change = CurrentChange {
        r#type: "m.room.member".to_owned(),
        state_key: user.to_owned(),
        event_id: "$join".to_owned(),
        membership: "join".to_owned(),
        ..CurrentChange::default()
    };
    set_state(world, room, change, 1).await;
}

/// Changes a room's state at some microsecond, as far as the tables know.
pub(crate) async fn set_state(world: &World, room: &str, change: CurrentChange, at: i64) {
    let head = banyan_proto::rooms::RoomHead { current_buckets: 1, ..Default::default() };
    let entry = RoomEntry { room_id: room.to_owned(), head: Some(head), current: vec![change], ..RoomEntry::default() };
    let log = LogId::rooms(world.shards.shard_of(room));
    let entry = Entry {
        log,
        seq: banyan_core::LogSeq(0),
        timestamp: banyan_core::TimestampMicros(at),
        request: None,
        targets: Vec::new(),
        source: None,
        traceparent: String::new(),
        body: RoomEntry { kind: Some(banyan_proto::rooms::room_entry::Kind::StateChanged(Default::default())), ..entry }
            .encode_to_vec()
            .into(),
    };
    for row in RoomApplier.derive(&entry).expect("rows") {
        let batch = WriteBatch { table: row.table, partition: row.partition, writes: vec![row.write], at: entry.timestamp };
        world.store.write(batch).await.expect("written");
    }
}

async fn change(world: &World, process: &Process, user: &str, only_self: bool) {
    process.append(world, user, Kind::DeviceList(DeviceListChanged { only_self })).await;
}

/// What was told, once there is so much of it.
async fn told(world: &World, count: usize) -> Vec<Changed> {
    let wait = async {
        while world.told.0.lock().expect("not poisoned").len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("rooms are told");
    world.told.0.lock().expect("not poisoned").clone()
}

#[tokio::test]
async fn the_rooms_of_a_user_are_told_and_nobody_of_what_only_they_see() {
    let world = World::new();
    let process = world.owner("a").await;
    join(&world, BOB, "!r1:x").await;
    join(&world, BOB, "!r2:x").await;
    change(&world, &process, ALICE, false).await;
    change(&world, &process, BOB, true).await;
    change(&world, &process, BOB, false).await;
    let told = told(&world, 1).await;
    let mut rooms = told[0].1.clone();
    rooms.sort();
    assert_eq!((told.len(), told[0].0.as_str(), rooms), (1, BOB, vec!["!r1:x".to_owned(), "!r2:x".to_owned()]));
}

#[tokio::test]
async fn a_failure_is_tried_again_and_another_owner_goes_on() {
    let world = World::new();
    let first = world.owner("a").await;
    join(&world, BOB, "!r1:x").await;
    world.told.1.store(2, Ordering::Relaxed);
    change(&world, &first, BOB, false).await;
    assert_eq!(told(&world, 1).await.len(), 1);
    // One that cannot tell any more before it ends.
    world.told.1.store(usize::MAX, Ordering::Relaxed);
    change(&world, &first, BOB, false).await;
    first.kill();
    world.told.1.store(0, Ordering::Relaxed);
    let _second = world.owner("b").await;
    told(&world, 2).await;
}

/// Changes a field of Bob's profile.
async fn rename(world: &World, process: &Process, field: &str) {
    let changed = ProfileChanged { field: field.to_owned(), value: b"\"x\"".to_vec().into(), ..ProfileChanged::default() };
    process.append(world, BOB, Kind::Profile(changed)).await;
}

/// The rooms that were told of Bob's profile, in order of their names, once there are so many.
async fn told_of_profile(world: &World, count: usize) -> Vec<String> {
    let told = || world.told.2.lock().expect("not poisoned").clone();
    let wait = async {
        while told().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("rooms are told");
    let mut rooms: Vec<String> = told().into_iter().inspect(|(user, _)| assert_eq!(user, BOB)).map(|(_, room)| room).collect();
    rooms.sort();
    rooms
}

#[tokio::test]
async fn each_room_is_told_of_a_name_and_an_avatar_and_of_nothing_else() {
    let world = World::new();
    let process = world.owner("a").await;
    let rooms: Vec<String> = (10..40).map(|n| format!("!r{n}:x")).collect();
    for room in &rooms {
        join(&world, BOB, room).await;
    }
    // One that refuses holds up no other.
    join(&world, BOB, "!refuses:x").await;
    rename(&world, &process, "m.tz").await;
    world.told.1.store(3, Ordering::Relaxed);
    rename(&world, &process, "displayname").await;
    assert_eq!(told_of_profile(&world, 30).await, rooms);
    rename(&world, &process, "avatar_url").await;
    assert_eq!(told_of_profile(&world, 60).await.len(), 60);
    assert!(world.told.0.lock().expect("not poisoned").is_empty(), "devices are the same");
}

#[tokio::test]
async fn rooms_that_an_owner_did_not_come_to_are_told_by_the_next() {
    let world = World::new();
    let first = world.owner("a").await;
    join(&world, BOB, "!r1:x").await;
    world.told.1.store(usize::MAX, Ordering::Relaxed);
    rename(&world, &first, "displayname").await;
    first.kill();
    world.told.1.store(0, Ordering::Relaxed);
    let _second = world.owner("b").await;
    assert_eq!(told_of_profile(&world, 1).await, ["!r1:x"]);
}
