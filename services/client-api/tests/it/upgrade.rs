//! Room upgrades over HTTP.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::AccountDataChanged;
use serde_json::json;

use crate::{
    fakes::Call,
    room::{ROOM, Room, bind_alias},
    world::{ALICE, GUEST_TOKEN, World, assert_error},
};

const V3: &str = "/_matrix/client/v3";

#[tokio::test]
async fn the_owner_makes_the_new_room_and_then_the_tenant_s_aliases_move() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    for alias in ["#a:one.test", "#b:one.test", "#c:two.test"] {
        bind_alias(&world, alias, ALICE).await;
    }
    let body = json!({"new_version": "12", "additional_creators": ["@bob:one.test"]});
    let (status, answer) = world.post(&format!("{V3}/rooms/{ROOM}/upgrade"), body).await;
    assert_eq!((status.as_u16(), answer), (200, json!({"replacement_room": "!new:one.test"})));
    let calls = world.fakes.take();
    let [Call::UpgradeRoom(upgrade), Call::ClaimAlias(a), Call::ClaimAlias(b)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((upgrade.room_id.as_str(), upgrade.new_version.as_str()), (ROOM, "12"));
    assert_eq!(upgrade.additional_creators, ["@bob:one.test"]);
    for (moved, alias) in [(a, "#a:one.test"), (b, "#b:one.test")] {
        assert_eq!((moved.alias.as_str(), moved.from_room_id.as_str(), moved.room_id.as_str()), (alias, ROOM, "!new:one.test"));
    }
    let ids = [&upgrade.caller, &a.caller, &b.caller].map(|caller| caller.as_ref().unwrap().request_id.clone());
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[tokio::test]
async fn an_upgrade_that_cannot_be_has_the_specified_error() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    let path = format!("{V3}/rooms/{ROOM}/upgrade");
    for (body, errcode) in [
        (json!({"new_version": "99"}), "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({"new_version": 12}), "M_BAD_JSON"),
        (json!({}), "M_BAD_JSON"),
        (json!({"new_version": "12", "additional_creators": ["bob"]}), "M_BAD_JSON"),
        (json!({"new_version": "12", "additional_creators": vec!["@b:x"; 101]}), "M_INVALID_PARAM"),
    ] {
        assert_error(&world.post(&path, body).await, 400, errcode);
    }
    assert_error(&world.post_as(Some(GUEST_TOKEN), &path, json!({"new_version": "12"})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("UpgradeRoom", ServiceError::forbidden("no"));
    assert_error(&world.post(&path, json!({"new_version": "12"})).await, 403, "M_FORBIDDEN");
    // An alias that cannot be moved is no fault of the room's.
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    bind_alias(&world, "#a:one.test", ALICE).await;
    world.fakes.fail("ClaimAlias", ServiceError::new(ErrorCode::Unavailable, "away"));
    assert_eq!(world.post(&path, json!({"new_version": "12"})).await.0.as_u16(), 200);
}

#[tokio::test]
async fn tags_come_along_when_the_new_room_is_joined() {
    let world = World::new().await;
    let mut old = Room::with_id(&world, "!old:one.test", &[ALICE], json!({"room_version": "11"})).await;
    let create = json!({"room_version": "11", "predecessor": {"room_id": "!old:one.test"}});
    Room::with_id(&world, ROOM, &[ALICE], create).await;
    let tags = |room_id: &str| AccountDataChanged {
        room_id: room_id.to_owned(),
        r#type: "m.tag".to_owned(),
        content: br#"{"tags":{"m.favourite":{}}}"#.to_vec().into(),
    };
    world.user_entry(ALICE, banyan_proto::users::user_entry::Kind::AccountData(tags("!old:one.test"))).await;
    let join = async || {
        assert_eq!(world.post(&format!("{V3}/rooms/{ROOM}/join"), json!({})).await.0.as_u16(), 200);
        world.fakes.take()
    };
    // Anybody can say that their room replaces another.
    assert!(matches!(&join().await[..], [Call::ChangeMembership(_)]));
    old.add(&world, "m.room.tombstone", Some(""), ALICE, json!({"body": "b", "replacement_room": ROOM})).await;
    let calls = join().await;
    let [Call::ChangeMembership(_), Call::SetAccountData(set)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((set.room_id.as_str(), set.r#type.as_str()), (ROOM, "m.tag"));
    assert_eq!(&set.content[..], br#"{"tags":{"m.favourite":{}}}"#);
    world.user_entry(ALICE, banyan_proto::users::user_entry::Kind::AccountData(tags(ROOM))).await;
    assert!(matches!(&join().await[..], [Call::ChangeMembership(_)]));
}

#[tokio::test]
async fn the_push_rule_of_a_room_comes_along_also_for_who_upgrades_by_hand() {
    let world = World::new().await;
    let mut old = Room::with_id(&world, "!old:one.test", &[ALICE], json!({"room_version": "11"})).await;
    let create = json!({"room_version": "11", "predecessor": {"room_id": "!old:one.test"}});
    Room::with_id(&world, ROOM, &[ALICE], create).await;
    let rule = json!({"rule_id": "!old:one.test", "default": false, "enabled": true, "actions": ["notify"]});
    let rules = json!({"global": {"room": [rule]}}).to_string().into_bytes();
    let data = AccountDataChanged { room_id: String::new(), r#type: "m.push_rules".to_owned(), content: rules.into() };
    world.user_entry(ALICE, banyan_proto::users::user_entry::Kind::AccountData(data)).await;
    old.add(&world, "m.room.tombstone", Some(""), ALICE, json!({"body": "b", "replacement_room": ROOM})).await;
    let tombstone = json!({"body": "b", "replacement_room": ROOM});
    world.put(&format!("{V3}/rooms/!old:one.test/state/m.room.tombstone/"), tombstone.clone()).await;
    let calls = world.fakes.take();
    let [Call::SendEvent(_), Call::ChangePushRule(change)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((change.kind.as_str(), change.rule_id.as_str()), ("room", ROOM));
    // Of a room that they are not in nothing is said.
    let elsewhere = json!({"body": "b", "replacement_room": "!none:one.test"});
    world.put(&format!("{V3}/rooms/!old:one.test/state/m.room.tombstone/"), elsewhere).await;
    assert!(matches!(&world.fakes.take()[..], [Call::SendEvent(_)]));
    assert_eq!(world.post(&format!("{V3}/rooms/{ROOM}/join"), json!({})).await.0.as_u16(), 200);
    assert!(matches!(&world.fakes.take()[..], [Call::ChangeMembership(_), Call::ChangePushRule(_)]));
}
