//! Joins by an invitation to a third-party identifier.

use banyan_proto::roomserver::{ChangeMembershipRequest, change_membership_request::Action};
use banyan_rooms::signing::ServerSigner;
use ruma::{CanonicalJsonObject, OwnedRoomId, RoomId, serde::Base64};
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

fn identity_server() -> ServerSigner {
    ServerSigner::new("id.test".try_into().unwrap(), "0", &[7; 32]).unwrap()
}

/// A room with an invitation of the token `t`.
async fn room(world: &World) -> OwnedRoomId {
    let room = world.create(ALICE, json!({})).await.unwrap();
    let key: Base64 = Base64::new(identity_server().public_key().to_vec());
    let key = key.encode();
    let content = json!({
        "display_name": "b...@example.org", "key_validity_url": "https://id.test/valid", "public_key": key,
        "public_keys": [{"public_key": key}],
    });
    world.set(ALICE, &room, "m.room.third_party_invite", "t", content).await.unwrap();
    room
}

/// What the identity server signs for `mxid`.
fn signed(mxid: &str, token: &str) -> Value {
    let mut object: CanonicalJsonObject = serde_json::from_value(json!({"mxid": mxid, "token": token})).unwrap();
    identity_server().sign_json(&mut object).unwrap();
    let mut signed = serde_json::to_value(object).unwrap();
    signed["sender"] = ALICE.into();
    signed
}

async fn join(world: &World, room: &RoomId, signed: &Value) -> Result<String, banyan_core::ServiceError> {
    let request = ChangeMembershipRequest {
        caller: world.caller(BOB, "D", None),
        room_id: room.to_string(),
        target: BOB.to_owned(),
        action: Action::Join.into(),
        third_party_signed: signed.to_string().into_bytes().into(),
        ..ChangeMembershipRequest::default()
    };
    world.change(request).await
}

#[tokio::test]
async fn a_signed_token_lets_its_user_in() {
    let world = World::new().await;
    let room = room(&world).await;
    let event_id = join(&world, &room, &signed(BOB, "t")).await.unwrap();
    let event = world.reader.event(&room, event_id.as_str().try_into().unwrap()).await.unwrap().unwrap();
    let invite: Value = serde_json::from_slice(&event.prev_content).unwrap();
    assert_eq!((&invite["membership"], event.prev_sender.as_str()), (&json!("invite"), ALICE));
    assert_eq!(invite["third_party_invite"]["display_name"], "b...@example.org");
    assert_eq!(invite["third_party_invite"]["signed"]["mxid"], BOB);
    let row = world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().unwrap();
    assert_eq!(row.membership, "join");
    // Whoever is in needs no token any more.
    join(&world, &room, &signed(BOB, "t")).await.unwrap();
}

#[tokio::test]
async fn tokens_that_let_nobody_in() {
    let world = World::new().await;
    let room = room(&world).await;
    assert_eq!(errcode(join(&world, &room, &signed("@eve:two.test", "t")).await), "M_FORBIDDEN");
    assert_eq!(errcode(join(&world, &room, &signed(BOB, "other")).await), "M_FORBIDDEN");
    assert_eq!(errcode(join(&world, &room, &json!({"token": "t"})).await), "M_BAD_JSON");
    let mut forged = signed("@eve:two.test", "t");
    forged["mxid"] = BOB.into();
    assert_eq!(errcode(join(&world, &room, &forged).await), "M_FORBIDDEN");
    world.set(ALICE, &room, "m.room.third_party_invite", "t", json!({})).await.unwrap();
    assert_eq!(errcode(join(&world, &room, &signed(BOB, "t")).await), "M_FORBIDDEN");
    assert!(world.reader.membership(BOB.try_into().unwrap(), &room).await.unwrap().is_none());
}
