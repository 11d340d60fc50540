//! Guests.

use banyan_proto::roomserver::change_membership_request::Action;
use ruma::RoomId;
use serde_json::json;

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";
const GUEST: &str = "@guest:one.test";
const GUEST_OF_TWO: &str = "@guest:two.test";

async fn membership(world: &World, room: &RoomId, user: &str) -> String {
    world.state(room).await[&("m.room.member".to_owned(), user.to_owned())]["membership"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn guests_join_only_where_the_room_says_so() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let access = |setting: &'static str| world.set(ALICE, &room, "m.room.guest_access", "", json!({"guest_access": setting}));
    let through_state = || world.set(GUEST, &room, "m.room.member", GUEST, json!({"membership": "join"}));
    assert_eq!(errcode(world.act(GUEST, Action::Join, GUEST, &room).await), "M_GUEST_ACCESS_FORBIDDEN");
    assert_eq!(errcode(through_state().await), "M_GUEST_ACCESS_FORBIDDEN");
    world.act(ALICE, Action::Invite, GUEST, &room).await.unwrap();
    assert_eq!(errcode(world.act(GUEST, Action::Join, GUEST, &room).await), "M_GUEST_ACCESS_FORBIDDEN");
    access("can_join").await.unwrap();
    through_state().await.unwrap();
    world.act(GUEST, Action::Join, GUEST, &room).await.unwrap();
    assert_eq!(membership(&world, &room, GUEST).await, "join");
}

/// A room that lets guests in, with Bob and two guests.
async fn room_with_guests(world: &World) -> ruma::OwnedRoomId {
    let open = json!({"type": "m.room.guest_access", "content": {"guest_access": "can_join"}});
    let room = world.create(ALICE, json!({"preset": "public_chat", "initial_state": [open]})).await.unwrap();
    for guest in [GUEST, GUEST_OF_TWO] {
        world.add_guest(guest).await;
        world.join(guest, &room).await;
    }
    world.join(BOB, &room).await;
    room
}

#[tokio::test]
async fn guests_leave_when_the_room_lets_them_in_no_more() {
    for content in [json!({"guest_access": "forbidden"}), json!({})] {
        let world = World::new().await;
        let room = room_with_guests(&world).await;
        let event_id = world.set(ALICE, &room, "m.room.guest_access", "", content).await.unwrap();
        assert_eq!(world.state(&room).await.len(), 9);
        for guest in [GUEST, GUEST_OF_TWO] {
            assert_eq!(membership(&world, &room, guest).await, "leave");
        }
        assert_eq!(membership(&world, &room, BOB).await, "join");
        let event = world.reader.event(&room, event_id.as_str().try_into().unwrap()).await.unwrap();
        assert!(event.is_some(), "the command answers the event that was asked for");
    }
}

#[tokio::test]
async fn guests_leave_when_what_let_them_in_is_redacted() {
    let world = World::new().await;
    let room = room_with_guests(&world).await;
    let old = world.set(ALICE, &room, "m.room.guest_access", "", json!({"guest_access": "can_join", "n": 1})).await.unwrap();
    let current = world.set(ALICE, &room, "m.room.guest_access", "", json!({"guest_access": "can_join", "n": 2})).await.unwrap();
    world.redact(ALICE, &room, &old).await.unwrap();
    assert_eq!(membership(&world, &room, GUEST).await, "join");
    world.redact(ALICE, &room, &current).await.unwrap();
    assert_eq!(membership(&world, &room, GUEST).await, "leave");
    assert_eq!(membership(&world, &room, BOB).await, "join");
}

#[tokio::test]
async fn more_guests_than_fit_into_one_turn_all_leave() {
    let world = World::new().await;
    let room = room_with_guests(&world).await;
    let guests: Vec<String> = (0..105).map(|n| format!("@guest{n}:one.test")).collect();
    for guest in &guests {
        world.add_guest(guest).await;
        world.join(guest, &room).await;
    }
    world.set(ALICE, &room, "m.room.guest_access", "", json!({"guest_access": "forbidden"})).await.unwrap();
    let state = world.state(&room).await;
    for guest in &guests {
        assert_eq!(state[&("m.room.member".to_owned(), guest.clone())]["membership"], "leave", "{guest}");
    }
}
