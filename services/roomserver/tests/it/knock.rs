//! Knocking, and what becomes of it.

use banyan_proto::roomserver::{ChangeMembershipRequest, change_membership_request::Action};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

async fn room(world: &World, rule: &str) -> OwnedRoomId {
    let rules = json!({"type": "m.room.join_rules", "content": {"join_rule": rule, "allow": []}});
    world.create(ALICE, json!({"name": "Club", "initial_state": [rules]})).await.unwrap()
}

async fn knock(world: &World, room: &RoomId, reason: &str) -> String {
    let request = ChangeMembershipRequest {
        caller: world.caller(BOB, "D", None),
        room_id: room.to_string(),
        target: BOB.to_owned(),
        action: Action::Knock.into(),
        reason: reason.to_owned(),
        ..ChangeMembershipRequest::default()
    };
    world.change(request).await.unwrap()
}

#[tokio::test]
async fn a_knock_shows_the_room_and_may_be_repeated_with_other_words() {
    for rule in ["knock", "knock_restricted"] {
        let world = World::new().await;
        let room = room(&world, rule).await;
        let first = knock(&world, &room, "let me in").await;
        assert_eq!(knock(&world, &room, "let me in").await, first);
        assert_eq!(knock(&world, &room, "").await, first);
        assert_ne!(knock(&world, &room, "please").await, first);
        let row = world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap();
        assert_eq!(row.membership, "knock");
        let event: Value = serde_json::from_slice(&row.pdu).unwrap();
        assert_eq!(event["content"]["reason"], "please");
        let kinds: Vec<Value> = row.stripped_state.iter().map(|event| serde_json::from_slice(event).unwrap()).collect();
        let kinds: Vec<&str> = kinds.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["m.room.create", "m.room.name", "m.room.join_rules"]);
    }
}

#[tokio::test]
async fn a_knock_is_withdrawn_rejected_or_accepted() {
    let world = World::new().await;
    let room = room(&world, "knock").await;
    let membership = async || world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap().membership;
    knock(&world, &room, "1").await;
    world.leave(BOB, &room).await;
    assert_eq!(membership().await, "leave");
    knock(&world, &room, "2").await;
    assert_eq!(errcode(world.act("@carol:one.test", Action::Kick, BOB, &room).await), "M_FORBIDDEN");
    world.act(ALICE, Action::Kick, BOB, &room).await.unwrap();
    assert_eq!(membership().await, "leave");
    knock(&world, &room, "3").await;
    assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
    world.act(ALICE, Action::Invite, BOB, &room).await.unwrap();
    assert_eq!(membership().await, "invite");
    world.join(BOB, &room).await;
    assert_eq!(membership().await, "join");
}

#[tokio::test]
async fn who_knocks_at_a_restricted_room_may_come_in_through_another() {
    let world = World::new().await;
    let lobby = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let content = json!({"join_rule": "knock_restricted", "allow": [{"type": "m.room_membership", "room_id": lobby}]});
    let room = world.create(ALICE, json!({"initial_state": [{"type": "m.room.join_rules", "content": content}]})).await.unwrap();
    knock(&world, &room, "").await;
    assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
    world.join(BOB, &lobby).await;
    world.join(BOB, &room).await;
    let member = world.state(&room).await[&("m.room.member".to_owned(), BOB.to_owned())].clone();
    assert_eq!(member["join_authorised_via_users_server"], ALICE);
}
