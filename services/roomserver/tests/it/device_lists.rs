//! Rooms are told when a member's devices change.

use banyan_core::{LogId, LogSeq, ServiceError};
use banyan_proto::{
    rooms::{RoomEntry, room_entry::Kind},
    roomserver::NoteDeviceListRequest,
    status::from_status,
};
use prost::Message as _;
use ruma::OwnedRoomId;
use serde_json::json;

use crate::world::{SHARDS, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

async fn note(world: &World, user: &str, rooms: &[&OwnedRoomId]) -> Result<(), ServiceError> {
    let room_ids = rooms.iter().map(ToString::to_string).collect();
    let request = NoteDeviceListRequest { tenant: "two.test".to_owned(), user_id: user.to_owned(), room_ids };
    world.client.clone().note_device_list(request).await.map(drop).map_err(|status| from_status(&status))
}

/// Whose devices changed, by the entries of a room, up to a message that is sent now.
async fn noted(world: &World, room: &OwnedRoomId) -> Vec<String> {
    let last = world.message(ALICE, room, "the last").await.unwrap();
    let mut follower = world.logs().follow(LogId::rooms(SHARDS.shard_of(room.as_str())), LogSeq(0));
    let mut found = Vec::new();
    loop {
        for entry in follower.next().await.unwrap().entries {
            let entry = RoomEntry::decode(entry.body).unwrap();
            match entry.kind.filter(|_| entry.room_id == room.as_str()) {
                Some(Kind::DeviceList(member)) => found.push(member.user_id),
                Some(Kind::Placed(placed)) if placed.event_id == last => return found,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn the_rooms_of_a_member_are_told_and_no_others() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    note(&world, BOB, &[&room]).await.unwrap();
    note(&world, "@carol:two.test", &[&room]).await.unwrap();
    note(&world, BOB, &[]).await.unwrap();
    assert_eq!(noted(&world, &room).await, [BOB]);
    let since = world.reader.device_lists_since(&room, LogSeq(0)).await.unwrap();
    assert_eq!(since, [BOB]);
    assert!(world.reader.device_lists_since(&room, LogSeq(u64::MAX >> 1)).await.unwrap().is_empty());
    world.leave(BOB, &room).await;
    note(&world, BOB, &[&room]).await.unwrap();
    assert_eq!(noted(&world, &room).await, [BOB], "who has left is nobody's business there");
}

#[tokio::test]
async fn as_many_rooms_as_one_command_may_have_are_one_group() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    note(&world, ALICE, &vec![&room; 200]).await.unwrap();
    assert_eq!(noted(&world, &room).await.len(), 200);
}

#[tokio::test]
async fn what_is_no_user_and_too_many_rooms_are_refused() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    assert_eq!(errcode(note(&world, "bob", &[&room]).await), "M_INVALID_PARAM");
    assert_eq!(errcode(note(&world, BOB, &vec![&room; 201]).await), "M_INVALID_PARAM");
}
