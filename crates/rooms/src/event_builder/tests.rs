use banyan_core::SeededEntropy;
use ruma::{MilliSecondsSinceUnixEpoch, UInt};
use serde_json::{Value, json};

use super::{BuildError, CreateError, NewRoom, create_room};
use crate::{
    pdu::Pdu,
    testing::{View, object, signer, user},
    version::RoomVersion,
};

fn create(version: &str, content: Value) -> Result<Pdu, CreateError> {
    let creator = user("@a:one.org");
    let room = NewRoom {
        creator: creator.clone(),
        version: RoomVersion::get(version).unwrap(),
        content: object(content),
        origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::from(5_u32)),
    };
    create_room(room, &signer(&creator), &SeededEntropy::new(9))
}

fn content(event: &Pdu) -> Value {
    serde_json::from_str(event.content().get()).unwrap()
}

#[test]
fn rooms_are_made_as_their_version_says() {
    let old = create("10", json!({ "room_version": "99", "m.federate": false })).unwrap();
    assert_eq!(content(&old), json!({ "creator": "@a:one.org", "m.federate": false, "room_version": "10" }));
    assert!(old.room_id().as_str().ends_with(":one.org"));
    let new = create("11", json!({ "creator": "@x:y" })).unwrap();
    assert_eq!(content(&new), json!({ "room_version": "11" }));
    let newest = create("12", json!({ "type": "m.space", "predecessor": { "room_id": "!old:one.org" } })).unwrap();
    assert_eq!(newest.room_id().as_str()[1..], newest.event_id().as_str()[1..]);
    assert_eq!(newest.create_info().unwrap().room_type(), Some("m.space"));
    assert_eq!((newest.depth(), newest.prev_events().len(), newest.auth_events().len()), (1, 0, 0));
}

#[test]
fn creators_are_checked_and_named_once() {
    let creators = json!(["@b:two.org", "@a:one.org", "@b:two.org"]);
    let room = create("12", json!({ "additional_creators": creators })).unwrap();
    assert_eq!(content(&room)["additional_creators"], json!(["@b:two.org"]));
    assert_eq!(room.create_info().unwrap().creators().len(), 2);
    for wrong in [json!("@b:two.org"), json!([1]), json!(["b"]), json!({})] {
        assert!(matches!(create("12", json!({ "additional_creators": wrong })), Err(CreateError::Content { .. })), "{wrong}");
    }
    assert!(create("11", json!({ "additional_creators": "anything" })).is_ok(), "the field means nothing before version 12");
    for wrong in [
        json!({ "m.federate": 1 }),
        json!({ "type": 1 }),
        json!({ "predecessor": {} }),
        json!({ "predecessor": { "room_id": "x" } }),
    ] {
        assert!(create("12", wrong).is_err());
    }
}

#[tokio::test]
async fn auth_events_are_chosen_by_type() {
    for (version, expected) in [("11", 3), ("12", 2)] {
        let view = View::with_room(version, "@a:one.org", &[], "public").await;
        let message = view.make("@a:one.org", "m.room.message", None, json!({})).await;
        assert_eq!(message.auth_events().len(), expected, "create (before 12), power levels, member");
        let join = view.make("@b:two.org", "m.room.member", Some("@b:two.org"), json!({ "membership": "join" })).await;
        assert_eq!(join.auth_events().len(), expected, "create (before 12), power levels, join rules");
        assert_eq!(message.prev_events(), [view.placed.last().unwrap().event_id()]);
        assert_eq!(message.depth(), view.placed.len() as u64 + 1);
    }
}

#[tokio::test]
async fn too_large_is_told_from_malformed() {
    let view = View::with_room("12", "@a:one.org", &[], "public").await;
    let build = |kind: String, body: usize| {
        let draft = super::EventDraft::message(
            user("@a:one.org"),
            kind,
            object(json!({ "body": "x".repeat(body) })),
            MilliSecondsSinceUnixEpoch(UInt::from(5_u32)),
        );
        let position = super::Position { version: view.version, room_id: view.room(), extremities: &[], depth: 1 };
        super::build(draft, position, &crate::auth::AuthState::default(), &signer(&user("@a:one.org")))
    };
    assert!(build("m.text".to_owned(), 60_000).is_ok());
    for error in [
        build("m.text".to_owned(), 65_200).unwrap_err(),
        build("m.text".to_owned(), 70_000).unwrap_err(),
        build("t".repeat(256), 1).unwrap_err(),
    ] {
        assert!(error.is_too_large(), "{error}");
    }
    let member =
        super::EventDraft::message(user("@a:one.org"), "m.room.member", object(json!({})), MilliSecondsSinceUnixEpoch(UInt::MIN));
    assert!(matches!(member.auth_keys(view.version), Err(BuildError::Auth(_))));
}
