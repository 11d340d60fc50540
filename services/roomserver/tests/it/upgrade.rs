//! Room upgrades.

use banyan_proto::{
    roomserver::{Profile, UpgradeRoomRequest, change_membership_request::Action},
    status::from_status,
};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};

use crate::world::{SHARDS, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";
const CAROL: &str = "@carol:two.test";

fn request(world: &World, user: &str, room: &RoomId, version: &str) -> UpgradeRoomRequest {
    UpgradeRoomRequest {
        caller: world.caller(user, "D", None),
        room_id: room.to_string(),
        new_version: version.to_owned(),
        additional_creators: Vec::new(),
        profile: Some(Profile { displayname: "Name".to_owned(), avatar_url: String::new() }),
    }
}

async fn send(world: &World, request: UpgradeRoomRequest) -> Result<OwnedRoomId, banyan_core::ServiceError> {
    let answer = world.client.clone().upgrade_room(request).await;
    answer.map(|answer| RoomId::parse(answer.into_inner().replacement_room).unwrap()).map_err(|status| from_status(&status))
}

async fn upgrade(world: &World, user: &str, room: &RoomId, version: &str) -> Result<OwnedRoomId, banyan_core::ServiceError> {
    send(world, request(world, user, room, version)).await
}

fn member(user: &str) -> (String, String) {
    ("m.room.member".to_owned(), user.to_owned())
}

#[tokio::test]
async fn the_new_room_is_as_the_old_one_and_the_old_one_says_where_it_is() {
    for (from, to) in [("10", "11"), ("11", "12"), ("12", "12"), ("12", "11")] {
        let world = World::new().await;
        let state = json!([
            {"type": "m.room.server_acl", "content": {"allow": ["*"]}},
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
            {"type": "m.room.avatar", "content": {"url": "mxc://one.test/a"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
            {"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": [
                {"type": "m.room_membership", "room_id": "!other:one.test"}]}},
            {"type": "org.example.own", "content": {"n": 1}},
        ]);
        let body = json!({
            "room_version": from, "name": "Name", "topic": "Topic", "visibility": "public", "preset": "private_chat",
            "initial_state": state, "creation_content": {"type": "org.example.kind", "m.federate": false},
        });
        let room = world.create(ALICE, body).await.unwrap();
        world.act(ALICE, Action::Ban, "@dora:one.test", &room).await.unwrap();
        let before = world.state(&room).await;
        let new = upgrade(&world, ALICE, &room, to).await.unwrap();
        assert_eq!(SHARDS.shard_of(new.as_str()), SHARDS.shard_of(room.as_str()));
        let after = world.state(&new).await;
        let kinds = [
            "m.room.server_acl",
            "m.room.encryption",
            "m.room.avatar",
            "m.room.history_visibility",
            "m.room.join_rules",
            "m.room.guest_access",
            "m.room.name",
            "m.room.topic",
        ];
        for kind in kinds {
            let key = (kind.to_owned(), String::new());
            assert_eq!((kind, after.get(&key)), (kind, before.get(&key)));
        }
        assert!(!after.contains_key(&("org.example.own".to_owned(), String::new())));
        assert_eq!(after[&member(ALICE)], json!({"membership": "join", "displayname": "Name"}));
        assert_eq!(after[&member("@dora:one.test")], json!({"membership": "ban"}));
        let create = world.content(&new, "m.room.create").await;
        assert_eq!((&create["room_version"], &create["type"]), (&json!(to), &json!("org.example.kind")));
        assert_eq!((&create["m.federate"], &create["predecessor"]["room_id"]), (&json!(false), &json!(room)));
        let tombstone = world.content(&room, "m.room.tombstone").await;
        assert_eq!(tombstone, json!({"body": "This room has been replaced", "replacement_room": new}));
        if to != "12" {
            let event_id = create["predecessor"]["event_id"].as_str().unwrap();
            let event = world.reader.event(&room, event_id.try_into().unwrap()).await.unwrap().unwrap();
            assert!(String::from_utf8_lossy(&event.pdu).contains("m.room.tombstone"));
        }
        let silent = world.content(&room, "m.room.power_levels").await;
        assert_eq!((&silent["events_default"], &silent["invite"]), (&json!(50), &json!(50)));
        let levels = world.content(&new, "m.room.power_levels").await;
        assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(0), &json!(0)));
        let one = "one.test".try_into().unwrap();
        assert!(world.reader.is_published(one, &new).await.unwrap() && !world.reader.is_published(one, &room).await.unwrap());
        world.message(ALICE, &new, "here").await.unwrap();
        world.set(ALICE, &new, "m.room.name", "", json!({"name": "Newer"})).await.unwrap();
    }
}

#[tokio::test]
async fn powers_are_kept_and_creators_are_not_listed() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"room_version": "11", "preset": "public_chat"})).await.unwrap();
    for user in [BOB, CAROL] {
        world.join(user, &room).await;
    }
    let levels = json!({"users": {ALICE: 100, BOB: 100, CAROL: 100, "@mod:one.test": 50}});
    world.set(ALICE, &room, "m.room.power_levels", "", levels).await.unwrap();
    let twelve = UpgradeRoomRequest { additional_creators: vec![CAROL.to_owned()], ..request(&world, BOB, &room, "12") };
    let twelve = send(&world, twelve).await.unwrap();
    assert_eq!(world.content(&twelve, "m.room.power_levels").await["users"], json!({ALICE: 100, "@mod:one.test": 50}));
    assert_eq!(world.content(&twelve, "m.room.create").await["additional_creators"], json!([CAROL]));
    // Creators of the old room have no more than others in a new one, and the highest level where there are levels for them.
    let next = upgrade(&world, BOB, &twelve, "12").await.unwrap();
    assert!(world.content(&next, "m.room.create").await.get("additional_creators").is_none());
    let eleven = UpgradeRoomRequest { additional_creators: vec![CAROL.to_owned()], ..request(&world, BOB, &twelve, "11") };
    let eleven = send(&world, eleven).await.unwrap();
    let users = json!({ALICE: 100, BOB: 100, CAROL: 100, "@mod:one.test": 50});
    assert_eq!(world.content(&eleven, "m.room.power_levels").await["users"], users);
    assert!(world.content(&eleven, "m.room.create").await.get("additional_creators").is_none());
}

#[tokio::test]
async fn who_may_and_what_may_not_be() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"room_version": "11", "preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    assert_eq!(errcode(upgrade(&world, BOB, &room, "12").await), "M_FORBIDDEN");
    assert_eq!(errcode(upgrade(&world, "@stranger:one.test", &room, "12").await), "M_FORBIDDEN");
    assert_eq!(errcode(upgrade(&world, ALICE, "!none:one.test".try_into().unwrap(), "12").await), "M_FORBIDDEN");
    for version in ["99", "", "9"] {
        assert_eq!(errcode(upgrade(&world, ALICE, &room, version).await), "M_UNSUPPORTED_ROOM_VERSION");
    }
    let creators = UpgradeRoomRequest { additional_creators: vec!["bob".to_owned()], ..request(&world, ALICE, &room, "12") };
    assert_eq!(errcode(send(&world, creators).await), "M_BAD_JSON");
    assert!(world.content(&room, "m.room.tombstone").await.is_null(), "nothing of it happened");
    // One who may send the tombstone and nothing else may upgrade; the old room stays as loud as it was.
    let levels = json!({"users": {ALICE: 100, BOB: 1}, "events": {"m.room.tombstone": 1}});
    world.set(ALICE, &room, "m.room.power_levels", "", levels.clone()).await.unwrap();
    let new = upgrade(&world, BOB, &room, "11").await.unwrap();
    assert_eq!(world.content(&room, "m.room.power_levels").await, levels);
    assert_eq!(world.content(&new, "m.room.power_levels").await, levels);
}

#[tokio::test]
async fn a_repeated_request_is_told_the_same_room_by_a_new_owner_too() {
    for version in ["11", "12"] {
        let mut world = World::new().await;
        let room = world.create(ALICE, json!({"room_version": "11"})).await.unwrap();
        let request = request(&world, ALICE, &room, version);
        let new = send(&world, request.clone()).await.unwrap();
        assert_eq!(send(&world, request.clone()).await.unwrap(), new);
        world.restart().await;
        assert_eq!(send(&world, request).await.unwrap(), new);
    }
}

#[tokio::test]
async fn aliases_move_and_the_canonical_one_with_them() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    for (user, alias) in [(ALICE, "#a:one.test"), (BOB, "#b:one.test"), (CAROL, "#c:two.test")] {
        world.claim(user, alias, &room).await.unwrap();
    }
    let content = json!({"alias": "#a:one.test", "alt_aliases": ["#b:one.test", "#c:two.test"]});
    world.set(ALICE, &room, "m.room.canonical_alias", "", content).await.unwrap();
    let new = upgrade(&world, ALICE, &room, "12").await.unwrap();
    let canonical = json!({"alias": "#a:one.test", "alt_aliases": ["#b:one.test"]});
    assert_eq!(world.content(&new, "m.room.canonical_alias").await, canonical);
    assert_eq!(world.content(&room, "m.room.canonical_alias").await, json!({"alt_aliases": ["#c:two.test"]}));
    for _ in 0..2 {
        world.move_alias(ALICE, "#b:one.test", &room, &new).await.unwrap();
        let row = world.reader.alias("#b:one.test".try_into().unwrap()).await.unwrap().unwrap();
        assert_eq!((row.room_id, row.creator), (new.to_string(), BOB.to_owned()));
    }
    assert_eq!(world.reader.aliases_of(&new).await.unwrap(), ["#b:one.test"]);
    assert_eq!(world.reader.aliases_of(&room).await.unwrap(), ["#a:one.test", "#c:two.test"]);
    // What nobody has, or means another room by now, is not moved.
    let other = world.create(ALICE, json!({})).await.unwrap();
    world.move_alias(ALICE, "#none:one.test", &room, &new).await.unwrap();
    world.move_alias(ALICE, "#b:one.test", &room, &other).await.unwrap();
    assert!(world.reader.alias("#none:one.test".try_into().unwrap()).await.unwrap().is_none());
    assert_eq!(world.reader.aliases_of(&new).await.unwrap(), ["#b:one.test"]);
}

#[tokio::test]
async fn a_space_keeps_its_children_and_all_who_are_banned_stay_out() {
    let world = World::new().await;
    let body = json!({"room_version": "11", "preset": "public_chat", "creation_content": {"type": "m.space"}});
    let room = world.create(ALICE, body).await.unwrap();
    for n in 0..150 {
        world.set(ALICE, &room, "m.space.child", &format!("!c{n}:one.test"), json!({"via": ["one.test"]})).await.unwrap();
        world.act(ALICE, Action::Ban, &format!("@banned{n}:two.test"), &room).await.unwrap();
    }
    world.set(ALICE, &room, "m.space.child", "!gone:one.test", json!({})).await.unwrap();
    world.join(BOB, &room).await;
    let new = upgrade(&world, ALICE, &room, "12").await.unwrap();
    let state = world.state(&new).await;
    for n in 0..150 {
        assert_eq!(state[&("m.space.child".to_owned(), format!("!c{n}:one.test"))], json!({"via": ["one.test"]}), "{n}");
        assert_eq!(state[&member(&format!("@banned{n}:two.test"))]["membership"], "ban", "{n}");
    }
    assert!(!state.contains_key(&("m.space.child".to_owned(), "!gone:one.test".to_owned())));
    assert!(!state.contains_key(&member(BOB)));
    assert_no_intents(&world).await;
}

async fn assert_no_intents(world: &World) {
    for shard in SHARDS.shards() {
        assert_eq!(world.reader.intents(banyan_core::LogId::rooms(shard)).await.unwrap(), []);
    }
}

/// What was promised and not done is done by the next owner.
#[tokio::test]
async fn a_new_owner_goes_on_with_what_was_promised() {
    use banyan_log::Proposal;
    use banyan_proto::rooms::{Intent, LeaveGuests, RoomEntry, room_entry::Kind};
    use prost::Message as _;

    let mut world = World::new().await;
    let open = json!({"type": "m.room.guest_access", "content": {"guest_access": "can_join"}});
    let room = world.create(ALICE, json!({"preset": "public_chat", "initial_state": [open]})).await.unwrap();
    world.join(BOB, &room).await;
    world.join("@guest:one.test", &room).await;
    world.set(ALICE, &room, "m.room.guest_access", "", json!({"guest_access": "forbidden"})).await.unwrap();
    // Nobody knew yet that this is a guest: what follows is as if the owner had died before they left.
    world.add_guest("@guest:one.test").await;
    let command = LeaveGuests { user_id: ALICE.to_owned() }.encode_to_vec().into();
    let kind = Some(Kind::Intent(Intent { name: "guests".to_owned(), command, done: false }));
    let body = RoomEntry { room_id: room.to_string(), kind, ..RoomEntry::default() }.encode_to_vec().into();
    let log = &world.owned[usize::from(SHARDS.shard_of(room.as_str()).0)];
    log.propose(vec![Proposal { body, ..Proposal::default() }]).unwrap().await.unwrap();
    world.restart().await;
    loop {
        let log = banyan_core::LogId::rooms(SHARDS.shard_of(room.as_str()));
        if world.reader.intents(log).await.unwrap().is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let state: std::collections::BTreeMap<_, Value> = world.state(&room).await;
    assert_eq!(state[&member("@guest:one.test")]["membership"], "leave");
    assert_eq!(state[&member(BOB)]["membership"], "join");
}
