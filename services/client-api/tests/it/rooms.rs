use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::change_membership_request::Action;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    room::{ROOM, Room, bind_alias},
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const BOB: &str = "@bob:one.test";

#[tokio::test]
async fn a_room_is_made_in_three_steps_each_with_an_id_of_its_own() {
    let world = World::new().await;
    let body =
        json!({"room_alias_name": "pub", "preset": "trusted_private_chat", "invite": [BOB], "creation_content": {"type": "t"}});
    let (status, answer) = world.post(&format!("{V3}/createRoom"), body.clone()).await;
    assert_eq!((status.as_u16(), answer), (200, json!({"room_id": "!new"})));
    let calls = world.fakes.take();
    let [Call::PrepareRoom(prepare), Call::ClaimAlias(claim), Call::CreateRoom(create)] = &calls[..] else { panic!("{calls:?}") };
    let content: serde_json::Value = serde_json::from_slice(&prepare.content).unwrap();
    assert_eq!(content, json!({"type": "t", "room_version": "12", "additional_creators": [BOB]}));
    assert_eq!((claim.alias.as_str(), claim.room_id.as_str()), ("#pub:one.test", "!new"));
    assert_eq!(create.alias, "#pub:one.test");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&create.request).unwrap(), body);
    assert_ne!(claim.caller.as_ref().unwrap().request_id, create.caller.as_ref().unwrap().request_id);
}

#[tokio::test]
async fn the_alias_is_given_back_if_the_room_cannot_be_made() {
    let world = World::new().await;
    world.fakes.fail("CreateRoom", ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_ROOM_STATE", "no"));
    let answer = world.post(&format!("{V3}/createRoom"), json!({"room_alias_name": "pub"})).await;
    assert_error(&answer, 400, "M_INVALID_ROOM_STATE");
    let calls = world.fakes.take();
    let Some(Call::ReleaseAlias(release)) = calls.last() else { panic!("{calls:?}") };
    let Call::ClaimAlias(claim) = &calls[1] else { panic!("{calls:?}") };
    assert_eq!(release.alias, claim.alias);
    assert_ne!(release.caller.as_ref().unwrap().request_id, claim.caller.as_ref().unwrap().request_id);
}

#[tokio::test]
async fn a_room_that_cannot_be_has_the_specified_error() {
    let world = World::new().await;
    for (body, status, errcode) in [
        (json!({"room_version": "99"}), 400, "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({"room_version": 12}), 400, "M_BAD_JSON"),
        (json!({"preset": "nonsense"}), 400, "M_BAD_JSON"),
        (json!({"visibility": "nonsense"}), 400, "M_BAD_JSON"),
        (json!({"invite": ["nonsense"]}), 400, "M_BAD_JSON"),
        (json!({"initial_state": [{"type": "x"}]}), 400, "M_BAD_JSON"),
        (json!({"creation_content": []}), 400, "M_BAD_JSON"),
        (json!({"room_alias_name": "a:b"}), 400, "M_INVALID_PARAM"),
    ] {
        assert_error(&world.post(&format!("{V3}/createRoom"), body).await, status, errcode);
    }
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("ClaimAlias", ServiceError::new(ErrorCode::Conflict, "taken"));
    let answer = world.post(&format!("{V3}/createRoom"), json!({"room_alias_name": "pub"})).await;
    assert_error(&answer, 400, "M_ROOM_IN_USE");
}

#[tokio::test]
async fn memberships_reach_the_owner() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    bind_alias(&world, "#a:one.test", ALICE).await;
    let cases = [
        (format!("join/{ROOM}"), json!({"reason": "r"}), Action::Join, ALICE),
        ("join/%23a:one.test".to_owned(), json!({"reason": "r"}), Action::Join, ALICE),
        (format!("rooms/{ROOM}/join"), json!({"reason": "r"}), Action::Join, ALICE),
        (format!("knock/{ROOM}?via=x.test"), json!({"reason": "r"}), Action::Knock, ALICE),
        ("knock/%23a:one.test".to_owned(), json!({"reason": "r"}), Action::Knock, ALICE),
        (format!("rooms/{ROOM}/leave"), json!({"reason": "r"}), Action::Leave, ALICE),
        (format!("rooms/{ROOM}/invite"), json!({"reason": "r", "user_id": BOB}), Action::Invite, BOB),
        (format!("rooms/{ROOM}/kick"), json!({"reason": "r", "user_id": BOB}), Action::Kick, BOB),
        (format!("rooms/{ROOM}/ban"), json!({"reason": "r", "user_id": BOB}), Action::Ban, BOB),
        (format!("rooms/{ROOM}/unban"), json!({"reason": "r", "user_id": BOB}), Action::Unban, BOB),
    ];
    for (path, body, action, target) in cases {
        let (status, answer) = world.post(&format!("{V3}/{path}"), body).await;
        assert_eq!(status.as_u16(), 200, "{path}: {answer}");
        let expected = if matches!(action, Action::Join | Action::Knock) { json!({"room_id": ROOM}) } else { json!({}) };
        assert_eq!(answer, expected, "{path}");
        let Call::ChangeMembership(request) = world.fakes.only() else { panic!("{path}") };
        assert_eq!((request.action(), request.target.as_str(), request.reason.as_str()), (action, target, "r"), "{path}");
    }
    // Bodies of these may be left out.
    for path in ["join", "leave", "forget"] {
        let request = world.request(Method::POST, &format!("{V3}/rooms/{ROOM}/{path}"), Some(ALICE_TOKEN));
        assert_eq!(answer(request).await.0.as_u16(), 200, "{path}");
    }
    assert!(matches!(world.fakes.take().last(), Some(Call::ForgetRoom(request)) if request.room_id == ROOM));
}

#[tokio::test]
async fn memberships_that_cannot_be_have_the_specified_error() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    let post = async |path: &str, body| world.post(&format!("{V3}/{path}"), body).await;
    assert_error(&post("join/!unknown:one.test", json!({})).await, 404, "M_NOT_FOUND");
    assert_error(&post("join/%23unknown:one.test", json!({})).await, 404, "M_NOT_FOUND");
    assert_error(&post("join/nonsense", json!({})).await, 400, "M_INVALID_PARAM");
    assert_error(&post("knock/!unknown:one.test", json!({})).await, 404, "M_NOT_FOUND");
    assert_error(&post("knock/%23unknown:one.test", json!({})).await, 404, "M_NOT_FOUND");
    assert_error(&post("knock/nonsense", json!({})).await, 400, "M_INVALID_PARAM");
    assert_error(
        &world.post_as(Some(GUEST_TOKEN), &format!("{V3}/knock/{ROOM}"), json!({})).await,
        403,
        "M_GUEST_ACCESS_FORBIDDEN",
    );
    assert_error(&post("rooms/!unknown:one.test/leave", json!({})).await, 403, "M_FORBIDDEN");
    assert_error(&post("rooms/!unknown:one.test/forget", json!({})).await, 400, "M_UNKNOWN");
    assert_error(&post(&format!("rooms/{ROOM}/kick"), json!({})).await, 400, "M_BAD_JSON");
    assert_error(&post(&format!("rooms/{ROOM}/invite"), json!({"user_id": "bob"})).await, 400, "M_BAD_JSON");
    assert_error(&post(&format!("rooms/{ROOM}/invite"), json!({"medium": "email", "address": "a@b"})).await, 400, "M_BAD_JSON");
    world.fakes.fail("ChangeMembership", ServiceError::forbidden("you are banned"));
    assert_error(&post(&format!("rooms/{ROOM}/join"), json!({})).await, 403, "M_FORBIDDEN");
    assert_error(&post(&format!("knock/{ROOM}"), json!({})).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_owner_of_a_room_is_told_who_is_a_guest() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    let join = format!("{V3}/rooms/{ROOM}/join");
    for (token, guest) in [(GUEST_TOKEN, true), (ALICE_TOKEN, false)] {
        assert_eq!(world.post_as(Some(token), &join, json!({})).await.0.as_u16(), 200);
        let Call::ChangeMembership(request) = world.fakes.only() else { panic!("not a membership") };
        assert_eq!(request.caller.unwrap().guest, guest);
        let state = format!("{V3}/rooms/{ROOM}/state/m.room.member/@guest:one.test");
        let by_state = world.request(Method::PUT, &state, Some(token)).body("{\"membership\":\"join\"}");
        assert_eq!(answer(by_state).await.0.as_u16(), 200);
        let Call::SendEvent(request) = world.fakes.only() else { panic!("not an event") };
        assert_eq!(request.caller.unwrap().guest, guest);
    }
}

#[tokio::test]
async fn what_a_join_has_beside_a_reason_is_content_of_the_event() {
    let world = World::new().await;
    Room::new(&world, &[BOB]).await;
    bind_alias(&world, "#a:one.test", BOB).await;
    for path in [format!("rooms/{ROOM}/join"), format!("join/{ROOM}"), "join/%23a:one.test".to_owned()] {
        let body = json!({"reason": "r", "third_party_signed": {"token": "t"}, "foo": "bar"});
        assert_eq!(world.post(&format!("{V3}/{path}"), body).await.1, json!({"room_id": ROOM}));
        let Call::ChangeMembership(request) = world.fakes.only() else { panic!("not a membership") };
        assert_eq!((request.reason.as_str(), &request.content[..]), ("r", &b"{\"foo\":\"bar\"}"[..]), "{path}");
        assert_eq!(&request.third_party_signed[..], b"{\"token\":\"t\"}", "{path}");
        world.post(&format!("{V3}/{path}"), json!({"reason": "r"})).await;
        assert!(matches!(world.fakes.only(), Call::ChangeMembership(request) if request.content.is_empty()));
    }
}

#[tokio::test]
async fn events_reach_the_owner_with_their_transaction() {
    let world = World::new().await;
    let put = async |path: &str, body| {
        let (status, answer) = world.put(&format!("{V3}/rooms/{ROOM}/{path}"), body).await;
        assert_eq!((status.as_u16(), answer), (200, json!({"event_id": "$sent"})), "{path}");
        let Call::SendEvent(request) = world.fakes.only() else { panic!("{path}") };
        request
    };
    let sent = put("send/m.room.message/t%2F1", json!({"body": "hi"})).await;
    assert_eq!((sent.r#type.as_str(), sent.txn_id.as_str(), sent.state_key.as_deref()), ("m.room.message", "t/1", None));
    assert_eq!((&sent.content[..], sent.caller.unwrap().device_id.as_str()), (&b"{\"body\":\"hi\"}"[..], "DEV"));
    let other = put("send/m.room.other/t%2F1", json!({})).await;
    assert_ne!(sent.txn_scope, other.txn_scope);

    let redaction = put("redact/$e/t1", json!({"reason": "spam"})).await;
    assert_eq!((redaction.redacts.as_str(), &redaction.content[..]), ("$e", &b"{\"reason\":\"spam\"}"[..]));
    assert_ne!(redaction.txn_scope, sent.txn_scope);
    let redaction = put("send/m.room.redaction/t2", json!({"redacts": "$f"})).await;
    assert_eq!(redaction.redacts, "$f");

    for (path, key) in [("state/m.room.name", ""), ("state/m.room.name/", ""), ("state/m.x/key%2F1", "key/1")] {
        let state = put(path, json!({"name": "n"})).await;
        assert_eq!((state.state_key.as_deref(), state.txn_id.as_str()), (Some(key), ""), "{path}");
    }
}

#[tokio::test]
async fn state_and_members_are_shown_to_members() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    room.add(&world, "m.room.name", Some(""), ALICE, json!({"name": "Here"})).await;
    let path = |rest: &str| format!("{V3}/rooms/{ROOM}/{rest}");
    let (_, state) = world.get(&path("state")).await;
    assert_eq!(state.as_array().unwrap().len(), 4);
    assert!(state[0]["event_id"].is_string() && state[0]["room_id"] == ROOM);
    assert!(state[0]["unsigned"]["age"].is_u64());
    for name in ["state/m.room.name", "state/m.room.name/"] {
        assert_eq!(world.get(&path(name)).await.1, json!({"name": "Here"}));
    }
    assert_eq!(world.get(&path("state/m.room.name/?format=event")).await.1["sender"], ALICE);
    assert_error(&world.get(&path("state/m.room.topic")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&path("state/m.room.name?format=x")).await, 400, "M_INVALID_PARAM");

    let (_, members) = world.get(&path("members")).await;
    assert_eq!(members["chunk"].as_array().unwrap().len(), 2);
    assert!(members["chunk"][0]["unsigned"]["age"].is_u64());
    assert_eq!(world.get(&path("members?membership=ban&not_membership=leave")).await.1["chunk"].as_array().unwrap().len(), 2);
    assert_eq!(world.get(&path("members?membership=leave")).await.1, json!({"chunk": []}));
    assert_eq!(world.get(&path("members?not_membership=join")).await.1, json!({"chunk": []}));
    assert_error(&world.get(&path("members?membership=x")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&path("members?at=nonsense")).await, 400, "M_INVALID_PARAM");
    let (_, joined) = world.get(&path("joined_members")).await;
    assert_eq!(joined["joined"][BOB], json!({"display_name": "A name"}));
    assert_eq!(world.get(&format!("{V3}/joined_rooms")).await.1, json!({"joined_rooms": [ROOM]}));
}

#[tokio::test]
async fn rooms_are_closed_to_others() {
    let world = World::new().await;
    Room::new(&world, &[BOB]).await;
    for rest in ["state", "state/m.room.create", "members", "joined_members", "messages?dir=b", "messages"] {
        assert_error(&world.get(&format!("{V3}/rooms/{ROOM}/{rest}")).await, 403, "M_FORBIDDEN");
        assert_error(&world.get(&format!("{V3}/rooms/!unknown:one.test/{rest}")).await, 403, "M_FORBIDDEN");
    }
    assert_error(&world.get(&format!("{V3}/rooms/{ROOM}/event/$e0")).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn messages_are_paged_in_both_directions() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE]).await;
    for n in 0..5 {
        room.add(&world, "m.room.message", None, ALICE, json!({"n": n})).await;
    }
    let messages = format!("{V3}/rooms/{ROOM}/messages");
    let only_messages = "filter=%7B%22types%22%3A%5B%22m.room.message%22%5D%7D";
    let numbers = |page: &serde_json::Value| {
        let chunk = page["chunk"].as_array().unwrap();
        chunk.iter().map(|event| event["content"]["n"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let (_, first) = world.get(&format!("{messages}?dir=b&limit=3&{only_messages}")).await;
    assert_eq!(numbers(&first), [4, 3, 2]);
    assert_eq!(first["chunk"][0]["unsigned"]["membership"], "join");
    let end = first["end"].as_str().unwrap();
    let (_, second) = world.get(&format!("{messages}?dir=b&limit=3&from={end}&{only_messages}")).await;
    assert_eq!((numbers(&second), &second["start"]), (vec![1, 0], &json!(end)));
    assert!(second.get("end").is_none(), "{second}");
    let (_, forward) = world.get(&format!("{messages}?dir=f&limit=10&from={end}&{only_messages}")).await;
    assert_eq!(numbers(&forward), [2, 3, 4]);
    let (_, bounded) = world.get(&format!("{messages}?dir=b&to={end}&{only_messages}")).await;
    assert_eq!(numbers(&bounded), [4, 3, 2]);
    let lazy = "filter=%7B%22lazy_load_members%22%3Atrue%7D";
    let (_, page) = world.get(&format!("{messages}?dir=b&limit=1&{lazy}")).await;
    assert_eq!(page["state"][0]["state_key"], ALICE);

    assert_error(&world.get(&messages).await, 400, "M_MISSING_PARAM");
    assert_error(&world.get(&format!("{messages}?dir=x")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{messages}?dir=b&limit=many")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{messages}?dir=b&from=nonsense")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{messages}?dir=b&filter=nonsense")).await, 400, "M_BAD_JSON");
}

#[tokio::test]
async fn who_has_left_sees_what_was_before() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[BOB, ALICE]).await;
    room.add(&world, "m.room.message", None, BOB, json!({"n": 0})).await;
    room.add(&world, "m.room.name", Some(""), BOB, json!({"name": "Before"})).await;
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;
    room.add(&world, "m.room.name", Some(""), BOB, json!({"name": "After"})).await;
    let after = room.add(&world, "m.room.message", None, BOB, json!({"n": 1})).await;
    assert_eq!(world.get(&format!("{V3}/rooms/{ROOM}/event/{after}")).await.0.as_u16(), 404);
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/messages?dir=b")).await;
    assert_eq!(page["chunk"][0]["content"]["membership"], "leave", "{page}");
    assert!(!page.to_string().contains("After"));
}

#[tokio::test]
async fn aliases_are_read_bound_and_removed() {
    let world = World::new().await;
    Room::new(&world, &[BOB]).await;
    bind_alias(&world, "#a:one.test", BOB).await;
    bind_alias(&world, "#mine:one.test", ALICE).await;
    let path = |alias: &str| format!("{V3}/directory/room/%23{alias}");
    let (_, body) = world.get(&path("a:one.test")).await;
    assert_eq!(body, json!({"room_id": ROOM, "servers": ["one.test"]}));
    assert_error(&world.get(&path("none:one.test")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V3}/directory/room/nonsense")).await, 400, "M_INVALID_PARAM");

    assert_eq!(world.put(&path("new:one.test"), json!({"room_id": ROOM})).await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::ClaimAlias(claim) if claim.alias == "#new:one.test"));
    assert_error(&world.put(&path("new:two.test"), json!({"room_id": ROOM})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.put(&path("new:one.test"), json!({"room_id": "!none:one.test"})).await, 404, "M_NOT_FOUND");
    world.fakes.fail("ClaimAlias", ServiceError::matrix(ErrorCode::Conflict, "M_ROOM_IN_USE", "taken"));
    assert_error(&world.put(&path("a:one.test"), json!({"room_id": ROOM})).await, 409, "M_UNKNOWN");
    world.fakes.take();

    let delete = async |alias: &str| answer(world.request(Method::DELETE, &path(alias), Some(ALICE_TOKEN))).await;
    assert_error(&delete("a:one.test").await, 403, "M_FORBIDDEN");
    assert_error(&delete("none:one.test").await, 404, "M_NOT_FOUND");
    assert_eq!(delete("mine:one.test").await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::ReleaseAlias(release) if release.alias == "#mine:one.test"));
}

#[tokio::test]
async fn the_tenant_s_aliases_of_a_room_are_for_who_is_in_it() {
    let world = World::new().await;
    let aliases = format!("{V3}/rooms/{ROOM}/aliases");
    assert_error(&world.get(&aliases).await, 403, "M_FORBIDDEN");
    let mut room = Room::new(&world, &[BOB, ALICE]).await;
    assert_eq!(world.get(&aliases).await.1, json!({"aliases": []}));
    for alias in ["#b:one.test", "#a:one.test", "#c:two.test"] {
        bind_alias(&world, alias, BOB).await;
    }
    assert_eq!(world.get(&aliases).await.1, json!({"aliases": ["#a:one.test", "#b:one.test"]}));
    assert_error(&world.get(&format!("{V3}/rooms/nonsense/aliases")).await, 400, "M_INVALID_PARAM");
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;
    assert_error(&world.get(&aliases).await, 403, "M_FORBIDDEN");
    room.add(&world, "m.room.history_visibility", Some(""), BOB, json!({"history_visibility": "world_readable"})).await;
    assert_eq!(world.get(&aliases).await.0.as_u16(), 200);
}

#[tokio::test]
async fn a_deleted_alias_is_taken_out_of_the_room_s_canonical_ones() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE]).await;
    bind_alias(&world, "#mine:one.test", ALICE).await;
    let content = json!({"alias": "#mine:one.test", "alt_aliases": ["#other:one.test"]});
    room.add(&world, "m.room.canonical_alias", Some(""), ALICE, content).await;
    // The room may refuse it: the alias is gone all the same.
    world.fakes.fail("SendEvent", ServiceError::forbidden("no"));
    let delete = world.request(Method::DELETE, &format!("{V3}/directory/room/%23mine:one.test"), Some(ALICE_TOKEN));
    assert_eq!(answer(delete).await.0.as_u16(), 200);
    let calls = world.fakes.take();
    let [Call::ReleaseAlias(release), Call::SendEvent(event)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((event.r#type.as_str(), event.state_key.as_deref()), ("m.room.canonical_alias", Some("")));
    assert_eq!(&event.content[..], b"{\"alt_aliases\":[\"#other:one.test\"]}");
    assert_ne!(release.caller.as_ref().unwrap().request_id, event.caller.as_ref().unwrap().request_id);
}
