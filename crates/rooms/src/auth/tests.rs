use proptest::prelude::*;
use ruma::{events::StateEventType, state_res::check_state_dependent_auth_rules};
use serde_json::json;

use super::{AuthState, check, required_keys};
use crate::{
    authoriser::{self, JoinRules},
    pdu::Pdu,
    placement::PlaceError,
    state::StateKey,
    testing::{View, user},
};

const A: &str = "@a:one.org";
const B: &str = "@b:two.org";
const C: &str = "@c:three.org";

async fn rejects(view: &mut View, sender: &str, kind: &str, state_key: Option<&str>, content: serde_json::Value) -> String {
    match view.send(sender, kind, state_key, content).await {
        Err(PlaceError::Rejected(error)) => error.0,
        other => panic!("{sender} {kind}: {other:?}"),
    }
}

#[tokio::test]
async fn membership_has_its_rules_in_every_version() {
    for version in ["10", "11", "12"] {
        let mut view = View::with_room(version, A, &[B], "invite").await;
        rejects(&mut view, B, "m.room.member", Some(B), json!({ "membership": "join" })).await;
        rejects(&mut view, B, "m.room.message", None, json!({})).await;
        view.member(A, B, "invite").await.unwrap();
        view.member(B, B, "join").await.unwrap();
        rejects(&mut view, C, "m.room.member", Some(C), json!({ "membership": "knock" })).await;
        view.member(B, C, "invite").await.unwrap();
        view.member(C, C, "leave").await.unwrap();
        rejects(&mut view, C, "m.room.member", Some(B), json!({ "membership": "leave" })).await;
        view.member(B, C, "ban").await.unwrap();
        rejects(&mut view, A, "m.room.member", Some(C), json!({ "membership": "invite" })).await;
        rejects(&mut view, C, "m.room.member", Some(C), json!({ "membership": "join" })).await;
        view.member(B, C, "leave").await.unwrap();
        rejects(&mut view, B, "m.room.member", Some(A), json!({ "membership": "leave" })).await;
        view.member(A, B, "leave").await.unwrap();
        assert_eq!(view.membership(B).await.as_deref(), Some("leave"));
        rejects(&mut view, A, "m.room.member", Some(B), json!({ "membership": "dance" })).await;
    }
}

#[tokio::test]
async fn creators_of_version_12_stand_above_all_levels() {
    let mut view = View::new("12");
    view.create(A, json!({ "additional_creators": [B] })).await;
    view.member(A, A, "join").await.unwrap();
    view.send(A, "m.room.power_levels", Some(""), json!({ "users": { C: 100 }, "events": { "m.room.tombstone": 150 } }))
        .await
        .unwrap();
    view.send(A, "m.room.join_rules", Some(""), json!({ "join_rule": "public" })).await.unwrap();
    view.member(B, B, "join").await.unwrap();
    view.member(C, C, "join").await.unwrap();
    rejects(&mut view, C, "m.room.tombstone", Some(""), json!({ "replacement_room": "!x" })).await;
    rejects(&mut view, C, "m.room.member", Some(B), json!({ "membership": "ban" })).await;
    view.send(B, "m.room.tombstone", Some(""), json!({ "replacement_room": "!x" })).await.unwrap();
    rejects(&mut view, B, "m.room.member", Some(A), json!({ "membership": "leave" })).await;
    rejects(&mut view, A, "m.room.power_levels", Some(""), json!({ "users": { B: 100 } })).await;
    view.member(B, C, "ban").await.unwrap();
}

#[tokio::test]
async fn levels_before_version_12_are_numbers_for_creators_too() {
    let mut view = View::with_room("11", A, &[B], "public").await;
    view.member(B, B, "join").await.unwrap();
    rejects(&mut view, B, "m.room.power_levels", Some(""), json!({ "users": { A: 100, B: 51 } })).await;
    rejects(&mut view, A, "m.room.power_levels", Some(""), json!({ "users": { A: 100, B: "50" } })).await;
    view.send(A, "m.room.power_levels", Some(""), json!({ "users": { A: 40, B: 50 } })).await.unwrap();
    rejects(&mut view, A, "m.room.name", Some(""), json!({ "name": "n" })).await;
    view.send(B, "m.room.name", Some(""), json!({ "name": "n" })).await.unwrap();
}

#[tokio::test]
async fn restricted_rooms_need_a_member_who_vouches() {
    let mut view = View::with_room("12", A, &[], "invite").await;
    let rules = json!({ "join_rule": "restricted", "allow": [{ "type": "m.room_membership", "room_id": "!other:one.org" }, { "type": "x" }] });
    let event = view.send(A, "m.room.join_rules", Some(""), rules).await.unwrap();
    let read = JoinRules::read(Some(&event));
    assert!(read.is_restricted() && !read.may_knock());
    assert_eq!(read.through, ["!other:one.org"]);
    rejects(&mut view, B, "m.room.member", Some(B), json!({ "membership": "join" })).await;
    let via = |user: &str| json!({ "membership": "join", "join_authorised_via_users_server": user });
    rejects(&mut view, B, "m.room.member", Some(B), via(C)).await;
    view.send(B, "m.room.member", Some(B), via(A)).await.unwrap();
    view.send(A, "m.room.power_levels", Some(""), json!({ "invite": 50 })).await.unwrap();
    rejects(&mut view, C, "m.room.member", Some(C), via(B)).await;
    let powers = view.placer.powers(view.room(), view.version, &view.current()).await.unwrap();
    assert_eq!(authoriser::choose([&*user(B), &*user(A)], &powers), Some(user(A)));
    assert_eq!(authoriser::choose([&*user(B)], &powers), None);
    assert_eq!(JoinRules::read(None).rule, "invite");
}

#[tokio::test]
async fn a_room_may_be_closed_to_other_servers() {
    let mut view = View::new("12");
    view.create(A, json!({ "m.federate": false })).await;
    view.member(A, A, "join").await.unwrap();
    view.send(A, "m.room.join_rules", Some(""), json!({ "join_rule": "public" })).await.unwrap();
    view.member("@d:one.org", "@d:one.org", "join").await.unwrap();
    rejects(&mut view, B, "m.room.member", Some(B), json!({ "membership": "join" })).await;
    rejects(&mut view, B, "m.room.message", None, json!({})).await;
}

/// A room in which many rules bite, and events of all senders against it.
async fn scene(version: &str, levels: serde_json::Value, closed: bool) -> View {
    let mut view = View::new(version);
    view.create(A, json!({ "m.federate": !closed })).await;
    view.member(A, A, "join").await.unwrap();
    view.send(A, "m.room.join_rules", Some(""), json!({ "join_rule": "public" })).await.unwrap();
    if !closed {
        view.member(B, B, "join").await.unwrap();
        view.member(C, C, "join").await.unwrap();
        view.member(C, C, "leave").await.unwrap();
    }
    if !levels.is_null() {
        view.send(A, "m.room.power_levels", Some(""), levels).await.unwrap();
    }
    view
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The short way for ordinary events answers as the rules themselves do.
    #[test]
    fn the_short_way_agrees_with_the_rules(
        version in prop::sample::select(vec!["10", "11", "12"]),
        closed in any::<bool>(),
        levels in prop::option::of((0..60_i64, 0..60_i64, 0..60_i64, 0..60_i64)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let levels = levels.map_or(serde_json::Value::Null, |(user, default, state, message)| {
                let mut users = serde_json::Map::from_iter([(B.to_owned(), json!(user))]);
                if version != "12" {
                    users.insert(A.to_owned(), json!(100));
                }
                json!({ "users": users, "users_default": default, "state_default": state, "events": { "m.room.message": message } })
            });
            let view = scene(version, levels, closed).await;
            for sender in [A, B, C, "@stranger:one.org"] {
                for (kind, state_key) in [
                    ("m.room.message", None),
                    ("m.reaction", None),
                    ("m.room.redaction", None),
                    ("m.room.topic", Some("")),
                    ("org.custom", Some(B)),
                    ("org.custom", Some("")),
                ] {
                    let event: Pdu = view.make(sender, kind, state_key, json!({})).await;
                    let keys: Vec<StateKey> = required_keys(&event).unwrap();
                    let state = AuthState::new(view.placer.state_events(view.room(), view.version, &view.current(), &keys).await.unwrap());
                    let lookup = |kind: &StateEventType, key: &str| state.get(kind, key);
                    let by_rules = check_state_dependent_auth_rules(view.version.authorization(), &event, lookup);
                    assert_eq!(check(&event, &state).is_ok(), by_rules.is_ok(), "{sender} {kind} {state_key:?}: {by_rules:?}");
                }
            }
        });
    }
}
