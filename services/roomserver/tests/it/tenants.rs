//! Two tenants in one room.

use banyan_core::LogSeq;
use banyan_proto::{
    rooms::{RoomEntry, room_entry::Kind},
    roomserver::change_membership_request::Action,
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

#[tokio::test]
async fn the_invitees_tenant_signs_too() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    world.act(ALICE, Action::Invite, BOB, &room).await.unwrap();
    let row = world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap();
    let pdu: Value = serde_json::from_slice(&row.pdu).unwrap();
    let signers: Vec<&String> = pdu["signatures"].as_object().unwrap().keys().collect();
    assert_eq!(signers, ["one.test", "two.test"]);
    world.join(BOB, &room).await;
    world.message(BOB, &room, "from two").await.unwrap();
}

#[tokio::test]
async fn an_acl_holds_between_tenants() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    world.set(ALICE, &room, "m.room.server_acl", "", json!({"allow": ["*"], "deny": ["TWO.*"]})).await.unwrap();
    assert_eq!(errcode(world.message(BOB, &room, "x").await), "M_FORBIDDEN");
    assert_eq!(errcode(world.act("@carol:two.test", Action::Join, "@carol:two.test", &room).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.act(ALICE, Action::Invite, "@carol:two.test", &room).await), "M_FORBIDDEN");
    world.message(ALICE, &room, "x").await.unwrap();
}

#[tokio::test]
async fn a_room_can_be_closed_to_other_servers() {
    let world = World::new().await;
    let body = json!({"preset": "public_chat", "creation_content": {"m.federate": false}});
    let room = world.create(ALICE, body).await.unwrap();
    assert_eq!(errcode(world.act(BOB, Action::Join, BOB, &room).await), "M_FORBIDDEN");
    world.join("@dan:one.test", &room).await;
}

#[tokio::test]
async fn nobody_speaks_for_another_tenant() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let mut request =
        banyan_proto::roomserver::ForgetRoomRequest { caller: world.caller(ALICE, "D", None), room_id: room.to_string() };
    request.caller.as_mut().unwrap().tenant = "two.test".to_owned();
    let status = world.client.clone().forget_room(request).await.unwrap_err();
    assert_eq!(banyan_proto::status::from_status(&status).errcode.as_deref(), Some("M_FORBIDDEN"));
    assert_eq!(errcode(world.act(ALICE, Action::Invite, "@x:elsewhere.test", &room).await), "M_FORBIDDEN");
}

/// The events that the logs of all room shards place in a room.
async fn placed(world: &World, room: &str) -> Vec<String> {
    let mut placed = Vec::new();
    for log in &world.owned {
        let mut follower = world.logs().follow(log.id(), LogSeq(0));
        let mut next = LogSeq(0);
        while next < log.applied() {
            for entry in follower.next().await.unwrap().entries {
                next = LogSeq(entry.seq.0 + 1);
                let entry = RoomEntry::decode(entry.body).unwrap();
                if let (true, Some(Kind::Placed(event))) = (entry.room_id == room, entry.kind) {
                    placed.push(event.event_id);
                }
            }
        }
    }
    placed
}

#[tokio::test]
async fn a_room_of_two_tenants_is_stored_once() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let before = placed(&world, room.as_str()).await;
    world.join(BOB, &room).await;
    let first = world.message(ALICE, &room, "from one").await.unwrap();
    let second = world.message(BOB, &room, "from two").await.unwrap();
    let after = placed(&world, room.as_str()).await;
    assert_eq!(after[..before.len()], before);
    let join = world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap().event_id;
    assert_eq!(after[before.len()..], [join, first, second], "each event is one entry of one log, whoever sees it");
}
