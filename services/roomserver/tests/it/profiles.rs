//! A changed profile reaches the rooms.

use banyan_core::ServiceError;
use banyan_proto::{roomserver::SpreadProfileRequest, status::from_status, users::Account};
use ruma::{OwnedRoomId, RoomId, room_id};
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

async fn spread(world: &World, room: &RoomId) -> Result<(), ServiceError> {
    let request = SpreadProfileRequest { user_id: BOB.to_owned(), room_id: room.to_string() };
    world.client.clone().spread_profile(request).await.map(drop).map_err(|status| from_status(&status))
}

async fn member(world: &World, room: &OwnedRoomId) -> Value {
    world.state(room).await[&("m.room.member".to_owned(), BOB.to_owned())].clone()
}

/// A room that Bob is in.
async fn room(world: &World) -> OwnedRoomId {
    world.add_account(BOB, Account::default()).await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    room
}

async fn length(world: &World, room: &RoomId) -> i64 {
    world.reader.head(room).await.unwrap().unwrap().next_arrival
}

#[tokio::test]
async fn the_member_event_says_what_the_profile_says_and_is_renewed_once() {
    let world = World::new().await;
    let room = room(&world).await;
    let own = json!({"membership": "join", "displayname": "Old", "reason": "here I am", "org.example.pet": "cat"});
    world.set(BOB, &room, "m.room.member", BOB, own).await.unwrap();
    let before = length(&world, &room).await;
    world.profile(BOB, "displayname", json!("Robert")).await;
    world.profile(BOB, "avatar_url", json!("mxc://x/y")).await;
    for _ in 0..2 {
        spread(&world, &room).await.unwrap();
        let new = json!({"membership": "join", "displayname": "Robert", "avatar_url": "mxc://x/y", "org.example.pet": "cat"});
        assert_eq!((member(&world, &room).await, length(&world, &room).await), (new, before + 1));
    }
    world.profile(BOB, "displayname", Value::Null).await;
    spread(&world, &room).await.unwrap();
    assert_eq!(member(&world, &room).await.get("displayname"), None);
}

#[tokio::test]
async fn who_is_not_in_the_room_stays_out() {
    let world = World::new().await;
    let room = room(&world).await;
    world.leave(BOB, &room).await;
    world.profile(BOB, "displayname", json!("Robert")).await;
    let before = length(&world, &room).await;
    spread(&world, &room).await.unwrap();
    spread(&world, room_id!("!unknown:one.test")).await.unwrap();
    assert_eq!((member(&world, &room).await["membership"].clone(), length(&world, &room).await), (json!("leave"), before));
}

#[tokio::test]
async fn an_account_that_is_gone_leaves_its_rooms_under_its_name() {
    let world = World::new().await;
    let room = room(&world).await;
    let before = member(&world, &room).await;
    world.add_account(BOB, Account { deactivated: true, ..Account::default() }).await;
    spread(&world, &room).await.unwrap();
    assert_eq!(member(&world, &room).await, before);
}

#[tokio::test]
async fn a_restricted_room_that_its_member_could_not_join_any_more_is_told() {
    let world = World::new().await;
    let room = room(&world).await;
    let rules = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!x:one.test"}]});
    world.set(ALICE, &room, "m.room.join_rules", "", rules).await.unwrap();
    world.profile(BOB, "displayname", json!("Robert")).await;
    spread(&world, &room).await.unwrap();
    assert_eq!(member(&world, &room).await["displayname"], "Robert");
}

#[tokio::test]
async fn a_room_that_shuts_the_server_out_refuses() {
    let world = World::new().await;
    let room = room(&world).await;
    world.set(ALICE, &room, "m.room.server_acl", "", json!({"allow": ["*"], "deny": ["two.test"]})).await.unwrap();
    world.profile(BOB, "displayname", json!("Robert")).await;
    assert_eq!(errcode(spread(&world, &room).await), "M_FORBIDDEN");
}
