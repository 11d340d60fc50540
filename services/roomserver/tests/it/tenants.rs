//! Two tenants in one room.

use banyan_proto::roomserver::change_membership_request::Action;
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
