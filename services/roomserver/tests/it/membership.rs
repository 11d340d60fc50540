//! Every action on every membership under every join rule.

use banyan_proto::roomserver::change_membership_request::Action;
use ruma::RoomId;
use serde_json::json;

use crate::world::{World, errcode};

const ADMIN: &str = "@admin:one.test";
const RULES: [&str; 6] = ["public", "invite", "knock", "restricted", "knock_restricted", "private"];
const STATES: [&str; 6] = ["none", "invite", "join", "leave", "ban", "knock"];
const ACTIONS: [Action; 7] = [Action::Join, Action::Leave, Action::Knock, Action::Invite, Action::Kick, Action::Ban, Action::Unban];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A new event with this membership.
    New(&'static str),
    /// The event that is there answers.
    Same,
    Forbidden,
}

/// The specification's answer, written down anew.
fn expected(rule: &str, state: &str, action: Action) -> Expected {
    use Expected::{Forbidden, New, Same};
    match (action, state) {
        (Action::Join, "ban") => Forbidden,
        (Action::Join, "join") => Same,
        // What is neither public nor open to the invited is open to nobody (authorisation rules, m.room.member, "Otherwise, reject").
        (Action::Join, "invite") => {
            if rule == "private" {
                Forbidden
            } else {
                New("join")
            }
        }
        (Action::Join, _) => {
            if rule == "public" {
                New("join")
            } else {
                Forbidden
            }
        }
        (Action::Leave, "none" | "ban") => Forbidden,
        (Action::Leave, "leave") => Same,
        (Action::Leave, _) => New("leave"),
        (Action::Knock, "ban" | "join" | "invite") => Forbidden,
        (Action::Knock, "knock") => Same,
        (Action::Knock, _) => {
            if rule.starts_with("knock") {
                New("knock")
            } else {
                Forbidden
            }
        }
        (Action::Invite, "join" | "ban") => Forbidden,
        (Action::Invite, "invite") => Same,
        (Action::Invite, _) => New("invite"),
        (Action::Kick, "none" | "leave" | "ban") => Forbidden,
        (Action::Kick, _) => New("leave"),
        (Action::Ban, "ban") => Same,
        (Action::Ban, _) => New("ban"),
        (Action::Unban, "ban") => New("leave"),
        (Action::Unban, _) => Forbidden,
        (Action::Unspecified, _) => Forbidden,
    }
}

async fn bring_to(world: &World, room: &RoomId, user: &str, state: &str) {
    match state {
        "invite" => drop(world.act(ADMIN, Action::Invite, user, room).await.unwrap()),
        "join" => world.join(user, room).await,
        "leave" => {
            world.join(user, room).await;
            world.leave(user, room).await;
        }
        "ban" => drop(world.act(ADMIN, Action::Ban, user, room).await.unwrap()),
        "knock" => drop(world.act(user, Action::Knock, user, room).await.unwrap()),
        _ => {}
    }
}

fn user_of(state: &str, action: Action) -> String {
    format!("@{state}-{}:one.test", action.as_str_name().to_lowercase())
}

#[tokio::test]
async fn every_action_on_every_membership_under_every_rule() {
    let world = World::new().await;
    for rule in RULES {
        let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
        let set = |rule: &'static str| world.set(ADMIN, &room, "m.room.join_rules", "", json!({"join_rule": rule, "allow": []}));
        for (needed, states) in [("public", &["none", "invite", "join", "leave", "ban"][..]), ("knock", &["knock"][..])] {
            set(needed).await.unwrap();
            for state in states {
                for action in ACTIONS {
                    bring_to(&world, &room, &user_of(state, action), state).await;
                }
            }
        }
        set(rule).await.unwrap();
        for state in STATES {
            for action in ACTIONS {
                let user = user_of(state, action);
                let sender = if matches!(action, Action::Join | Action::Leave | Action::Knock) { user.as_str() } else { ADMIN };
                let before = world.reader.membership(user.as_str().try_into().unwrap(), &room).await.unwrap();
                let answer = world.act(sender, action, &user, &room).await;
                let after = world.reader.membership(user.as_str().try_into().unwrap(), &room).await.unwrap();
                let context = format!("{action:?} on {state} under {rule}");
                match expected(rule, state, action) {
                    Expected::New(membership) => {
                        assert_eq!(
                            answer.as_ref().unwrap_or_else(|error| panic!("{context}: {error}")),
                            &after.as_ref().unwrap().event_id,
                            "{context}"
                        );
                        assert_eq!(after.unwrap().membership, membership, "{context}");
                    }
                    Expected::Same => {
                        assert_eq!(
                            answer.unwrap_or_else(|error| panic!("{context}: {error}")),
                            before.as_ref().unwrap().event_id,
                            "{context}"
                        );
                        assert_eq!(before, after, "{context}");
                    }
                    Expected::Forbidden => {
                        assert!(answer.is_err(), "{context}");
                        assert_eq!(errcode(answer), "M_FORBIDDEN", "{context}");
                        assert_eq!(before, after, "{context}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn only_those_with_the_power_may() {
    let world = World::new().await;
    let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
    let (user, other) = ("@user:one.test", "@other:one.test");
    world.join(user, &room).await;
    world.join(other, &room).await;
    for action in [Action::Kick, Action::Ban] {
        assert_eq!(errcode(world.act(user, action, other, &room).await), "M_FORBIDDEN");
    }
    assert_eq!(errcode(world.act(user, Action::Invite, "@new:one.test", &room).await), "M_FORBIDDEN");
    world.act(ADMIN, Action::Ban, other, &room).await.unwrap();
    assert_eq!(errcode(world.act(user, Action::Unban, other, &room).await), "M_FORBIDDEN");
    for action in [Action::Invite, Action::Kick, Action::Ban] {
        assert_eq!(errcode(world.act("@stranger:one.test", action, user, &room).await), "M_FORBIDDEN");
        assert_eq!(errcode(world.act(ADMIN, action, ADMIN, &room).await), "M_FORBIDDEN");
    }
    assert_eq!(errcode(world.act(user, Action::Join, other, &room).await), "M_FORBIDDEN");
}

#[tokio::test]
async fn a_room_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let room: &RoomId = "!nowhere:one.test".try_into().unwrap();
    assert_eq!(errcode(world.act(ADMIN, Action::Join, ADMIN, room).await), "M_NOT_FOUND");
    assert_eq!(errcode(world.act(ADMIN, Action::Knock, ADMIN, room).await), "M_NOT_FOUND");
    assert_eq!(errcode(world.act(ADMIN, Action::Leave, ADMIN, room).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.message(ADMIN, room, "hello").await), "M_FORBIDDEN");
}

#[tokio::test]
async fn a_join_has_the_profile_and_a_changed_one_is_a_new_event() {
    let world = World::new().await;
    let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
    let user = "@user:one.test";
    let joined = world.act_with(user, Action::Join, user, &room, json!({"custom": 1})).await.unwrap();
    let key = ("m.room.member".to_owned(), user.to_owned());
    assert_eq!(world.state(&room).await[&key], json!({"membership": "join", "displayname": "Name", "custom": 1}));
    let renamed =
        world.set(user, &room, "m.room.member", user, json!({"membership": "join", "displayname": "Other"})).await.unwrap();
    assert_ne!(joined, renamed);
    assert_eq!(world.state(&room).await[&key]["displayname"], "Other");
    assert_eq!(world.reader.head(&room).await.unwrap().unwrap().joined, 2);
    world.set(ADMIN, &room, "m.room.member", user, json!({"membership": "leave", "reason": "out"})).await.unwrap();
    assert_eq!(world.state(&room).await[&key], json!({"membership": "leave", "reason": "out"}));
    assert_eq!(world.reader.head(&room).await.unwrap().unwrap().joined, 1);
}

#[tokio::test]
async fn a_room_is_forgotten_once_it_is_left() {
    let world = World::new().await;
    let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
    let user = "@user:one.test";
    assert_eq!(errcode(world.forget(user, &room).await), "M_NOT_FOUND");
    world.join(user, &room).await;
    assert_eq!(errcode(world.forget(user, &room).await), "M_UNKNOWN");
    world.leave(user, &room).await;
    world.forget(user, &room).await.unwrap();
    world.forget(user, &room).await.unwrap();
    let row = || async { world.reader.membership(user.try_into().unwrap(), &room).await.unwrap().unwrap() };
    assert!(row().await.forgotten);
    world.join(user, &room).await;
    assert!(!row().await.forgotten);
}
