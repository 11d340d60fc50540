//! Restricted rooms.

use banyan_proto::roomserver::change_membership_request::Action;
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

#[tokio::test]
async fn members_of_another_room_may_join_and_somebody_vouches() {
    for (version, rule) in [("10", "restricted"), ("11", "knock_restricted"), ("12", "restricted")] {
        let world = World::new().await;
        let lobby = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
        let rules = json!({"join_rule": rule, "allow": [{"type": "m.room_membership", "room_id": lobby}]});
        let body = json!({"room_version": version, "initial_state": [{"type": "m.room.join_rules", "content": rules}]});
        let room = world.create(ALICE, body).await.unwrap();
        assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
        world.join(BOB, &lobby).await;
        let event_id = world.act(BOB, Action::Join, BOB, &room).await.unwrap();
        let event = world.reader.event(&room, event_id.as_str().try_into().unwrap()).await.unwrap().unwrap();
        let pdu: Value = serde_json::from_slice(&event.pdu).unwrap();
        assert_eq!(pdu["content"]["join_authorised_via_users_server"], ALICE);
        let signatures = pdu["signatures"].as_object().unwrap();
        assert!(signatures.contains_key("one.test") && signatures.contains_key("two.test"));
        world.leave(BOB, &room).await;
        world.leave(BOB, &lobby).await;
        assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
        world.act(ALICE, Action::Invite, BOB, &room).await.unwrap();
        world.join(BOB, &room).await;
    }
}

#[tokio::test]
async fn somebody_without_a_power_of_their_own_vouches_where_many_have_left() {
    let world = World::new().await;
    let lobby = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let room = world.create(ALICE, json!({"room_version": "11", "preset": "public_chat"})).await.unwrap();
    for n in 0..60 {
        let user = format!("@u{n}:one.test");
        world.join(&user, &room).await;
        world.leave(&user, &room).await;
    }
    world.join("@carol:one.test", &room).await;
    let levels = |invite: i64| json!({"invite": invite, "users": {ALICE: 100}});
    world.set(ALICE, &room, "m.room.power_levels", "", levels(0)).await.unwrap();
    let rules = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": lobby}]});
    world.set(ALICE, &room, "m.room.join_rules", "", rules).await.unwrap();
    world.leave(ALICE, &room).await;
    world.join(BOB, &lobby).await;
    world.join(BOB, &room).await;
    let member = world.state(&room).await[&("m.room.member".to_owned(), BOB.to_owned())].clone();
    assert_eq!(member["join_authorised_via_users_server"], "@carol:one.test");
}

#[tokio::test]
async fn nobody_vouches_who_may_not_invite() {
    let world = World::new().await;
    let lobby = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let rules = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": lobby}]});
    let body =
        json!({"room_version": "11", "preset": "public_chat", "initial_state": [{"type": "m.room.join_rules", "content": rules}]});
    let room = world.create(ALICE, body).await.unwrap();
    world.join("@carol:one.test", &lobby).await;
    world.join("@carol:one.test", &room).await;
    world.leave(ALICE, &room).await;
    world.join(BOB, &lobby).await;
    assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
}
