//! POST /createRoom: presets, options, order of events, what is refused.

use banyan_rooms::{
    RoomPlace,
    reader::{Direction, TimelineQuery},
};
use ruma::RoomId;
use serde_json::{Value, json};

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";

async fn order(world: &World, room: &RoomId) -> Vec<String> {
    let query = TimelineQuery { from: RoomPlace::START, to: None, direction: Direction::Forward, limit: 100 };
    let page = world.reader.timeline(room, query).await.unwrap();
    assert!(page.next.is_none());
    let name = |pdu: &[u8]| {
        let event: Value = serde_json::from_slice(pdu).unwrap();
        let membership = event["content"]["membership"].as_str().map(|membership| format!(" {membership}")).unwrap_or_default();
        format!("{}{membership}", event["type"].as_str().unwrap().trim_start_matches("m.room."))
    };
    page.events.iter().map(|event| name(&event.pdu)).collect()
}

#[tokio::test]
async fn events_come_in_the_order_of_the_specification() {
    let world = World::new().await;
    let body = json!({
        "name": "Pub", "topic": "Beer", "invite": ["@bob:one.test", "@carol:one.test"], "visibility": "public",
        "initial_state": [
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
            {"type": "m.room.name", "content": {"name": "not this"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
        ],
    });
    let room = world.create_as(ALICE, body, Some("#pub:one.test")).await.unwrap();
    let expected = [
        "create",
        "member join",
        "power_levels",
        "canonical_alias",
        "join_rules",
        "history_visibility",
        "encryption",
        "guest_access",
        "name",
        "topic",
        "member invite",
        "member invite",
    ];
    assert_eq!(order(&world, &room).await, expected);
    assert_eq!(world.content(&room, "m.room.name").await, json!({"name": "Pub"}));
    assert_eq!(world.content(&room, "m.room.guest_access").await, json!({"guest_access": "can_join"}));
    let topic = world.content(&room, "m.room.topic").await;
    assert_eq!(topic["topic"], "Beer");
    assert_eq!(topic["m.topic"]["m.text"][0]["body"], "Beer");
    assert!(world.reader.is_published("one.test".try_into().unwrap(), &room).await.unwrap());
    assert!(!world.reader.is_published("two.test".try_into().unwrap(), &room).await.unwrap());
    let head = world.reader.head(&room).await.unwrap().unwrap();
    assert_eq!((head.joined, head.invited, head.next_arrival), (1, 2, 12));
}

#[tokio::test]
async fn presets_set_what_the_specification_says() {
    let world = World::new().await;
    for version in ["10", "11", "12"] {
        for (preset, rule, guests) in [
            ("private_chat", "invite", "can_join"),
            ("trusted_private_chat", "invite", "can_join"),
            ("public_chat", "public", "forbidden"),
        ] {
            let body = json!({"preset": preset, "room_version": version, "invite": ["@bob:one.test"]});
            let room = world.create(ALICE, body).await.unwrap();
            assert_eq!(world.content(&room, "m.room.join_rules").await["join_rule"], rule);
            assert_eq!(world.content(&room, "m.room.guest_access").await["guest_access"], guests);
            assert_eq!(world.content(&room, "m.room.history_visibility").await["history_visibility"], "shared");
            let create = world.content(&room, "m.room.create").await;
            assert_eq!(create["room_version"], version);
            assert_eq!(create.get("creator").is_some(), version == "10");
            let levels = world.content(&room, "m.room.power_levels").await;
            let trusted = preset == "trusted_private_chat";
            let users = match (version, trusted) {
                ("12", _) => json!({}),
                (_, true) => json!({ALICE: 100, "@bob:one.test": 100}),
                (_, false) => json!({ALICE: 100}),
            };
            assert_eq!(levels["users"], users, "{preset} {version}");
            assert_eq!(levels["events"]["m.room.tombstone"], if version == "12" { 150 } else { 100 });
            assert_eq!(create.get("additional_creators").is_some(), version == "12" && trusted);
            assert_eq!(room.server_name().is_none(), version == "12");
        }
    }
}

#[tokio::test]
async fn initial_state_wins_over_the_preset() {
    let world = World::new().await;
    let body = json!({"preset": "public_chat", "initial_state": [
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}},
        {"type": "org.example.thing", "state_key": "k", "content": {"n": 1}},
    ]});
    let room = world.create(ALICE, body).await.unwrap();
    let state = world.state(&room).await;
    assert_eq!(state[&("m.room.join_rules".to_owned(), String::new())]["join_rule"], "knock");
    assert_eq!(state[&("org.example.thing".to_owned(), "k".to_owned())]["n"], 1);
    assert_eq!(order(&world, &room).await.iter().filter(|name| *name == "join_rules").count(), 1);
}

#[tokio::test]
async fn invites_carry_is_direct_and_stripped_state() {
    let world = World::new().await;
    let body = json!({"invite": ["@bob:one.test"], "is_direct": true, "name": "Us"});
    let room = world.create(ALICE, body).await.unwrap();
    let row = world.reader.membership("@bob:one.test".try_into().unwrap(), &room).await.unwrap().unwrap();
    assert_eq!((row.membership.as_str(), row.sender.as_str()), ("invite", ALICE));
    let event: Value = serde_json::from_slice(&row.pdu).unwrap();
    assert_eq!(event["content"]["is_direct"], true);
    let stripped: Vec<Value> = row.stripped_state.iter().map(|event| serde_json::from_slice(event).unwrap()).collect();
    let types: Vec<&str> = stripped.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for wanted in ["m.room.create", "m.room.join_rules", "m.room.name"] {
        assert!(types.contains(&wanted), "{types:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_leaves_nothing_behind() {
    let world = World::new().await;
    let bodies = [
        (json!({"room_version": "9"}), "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({"preset": "club"}), "M_BAD_JSON"),
        (json!({"power_level_content_override": {"users": {ALICE: 0}}, "room_version": "11", "name": "n"}), "M_INVALID_ROOM_STATE"),
        (json!({"power_level_content_override": {"users": {ALICE: 100}}}), "M_INVALID_ROOM_STATE"),
        (json!({"initial_state": [{"type": "m.room.create", "content": {}}]}), "M_INVALID_ROOM_STATE"),
        (json!({"invite": [ALICE]}), "M_INVALID_ROOM_STATE"),
        (json!({"invite": ["@x:elsewhere.test"]}), "M_FORBIDDEN"),
        (json!({"initial_state": [{"type": "a.b", "content": {"x": 1.5}}]}), "M_BAD_JSON"),
    ];
    for (body, code) in bodies {
        assert_eq!(errcode(world.create(ALICE, body.clone()).await), code, "{body}");
    }
    assert!(world.reader.memberships(ALICE.try_into().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn creation_content_is_kept_and_types_reach_the_head() {
    let world = World::new().await;
    let body = json!({"creation_content": {"type": "m.space", "m.federate": false, "room_version": "1", "creator": "@x:y"}});
    let room = world.create(ALICE, body).await.unwrap();
    let create = world.content(&room, "m.room.create").await;
    assert_eq!((&create["type"], &create["m.federate"], &create["room_version"]), (&json!("m.space"), &json!(false), &json!("12")));
    assert!(create.get("creator").is_none());
    assert_eq!(world.reader.head(&room).await.unwrap().unwrap().room_type, "m.space");
}
