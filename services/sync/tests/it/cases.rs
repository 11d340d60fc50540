//! What responses say.

use banyan_core::ServiceError;
use banyan_proto::rooms::Transaction;
use banyan_sync::app::sync::Request;
use serde_json::json;

use crate::{
    client::Client,
    rooms::{Send, member, message, state as set},
    world::{World, request, since, state, sync, timeline, token},
};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:y";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

#[tokio::test]
async fn an_initial_sync_tells_a_new_room_from_its_beginning() {
    let world = world().await;
    let body = world.worker().sync(&world, request(BOB)).await;
    let room = &body["rooms"]["join"][ROOM];
    assert_eq!(timeline(&body, "join", ROOM).len(), 4);
    assert_eq!(state(&body, "join", ROOM), Vec::<&str>::new());
    assert_eq!(room["timeline"]["limited"], false);
    let summary = json!({"m.heroes": [ALICE], "m.joined_member_count": 2, "m.invited_member_count": 0});
    assert_eq!(room["summary"], summary);
    let first = &room["timeline"]["events"][0];
    assert_eq!(first["type"], "m.room.create");
    assert!(first.get("room_id").is_none() && first.get("auth_events").is_none());
    assert!(body["account_data"]["events"].as_array().unwrap().iter().any(|event| event["type"] == "m.push_rules"));
    assert_eq!(body["device_one_time_keys_count"]["signed_curve25519"], 0);
}

#[tokio::test]
async fn an_initial_sync_of_a_long_room_has_the_state_at_the_start_of_its_timeline() {
    let mut world = world().await;
    let old = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "old"}))).await;
    for n in 0..9 {
        world.say(ROOM, BOB, &n.to_string()).await;
    }
    let new = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "new"}))).await;
    let body = world.worker().sync(&world, request(BOB)).await;
    assert_eq!(timeline(&body, "join", ROOM).len(), 10);
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], true);
    let state = state(&body, "join", ROOM);
    assert_eq!(state.len(), 5);
    assert!(state.contains(&old.as_str()) && !state.contains(&new.as_str()));
    assert!(body["rooms"]["join"][ROOM]["summary"].get("m.heroes").is_none());
    let after = Request { state_after: true, ..request(BOB) };
    let body = world.worker().sync(&world, after).await;
    let room = &body["rooms"]["join"][ROOM];
    assert!(room.get("state").is_none());
    let ids = crate::world::ids(&room["state_after"]["events"]);
    assert!(ids.len() == 5 && ids.contains(&new.as_str()) && !ids.contains(&old.as_str()));
}

#[tokio::test]
async fn an_incremental_sync_tells_what_is_new_and_a_repeated_token_tells_it_again() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.sync(&world, request(BOB)).await;
    let first = token(&body).to_owned();
    let said = world.say(ROOM, ALICE, "hi").await;
    for _ in 0..2 {
        let body = worker.sync(&world, since(BOB, &first)).await;
        assert_eq!(timeline(&body, "join", ROOM), [said.as_str()]);
        assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], false);
        assert_eq!(body["rooms"]["join"][ROOM]["summary"], json!({}));
        let unsigned = &body["rooms"]["join"][ROOM]["timeline"]["events"][0]["unsigned"];
        assert_eq!(unsigned["membership"], "join");
        assert!(unsigned["age"].is_u64());
    }
    let body = worker.sync(&world, since(BOB, &first)).await;
    let nothing = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(nothing["rooms"], json!({"join": {}, "invite": {}, "knock": {}, "leave": {}}));
    assert_eq!(nothing["account_data"]["events"], json!([]));
}

#[tokio::test]
async fn the_sending_device_alone_is_told_its_transaction() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(ALICE)).await).to_owned();
    let transaction =
        Transaction { user_id: ALICE.to_owned(), device_id: "D".to_owned(), scope: "send".to_owned(), txn_id: "t1".to_owned() };
    world.send(ROOM, ALICE, Send { transaction: Some(transaction), ..message("hi") }).await;
    let path = format!("/rooms/join/{ROOM}/timeline/events/0/unsigned/transaction_id");
    let body = worker.sync(&world, since(ALICE, &first)).await;
    assert_eq!(body.pointer(&path).unwrap(), "t1");
    let other = Request { device: "E".into(), ..since(ALICE, &first) };
    assert!(worker.sync(&world, other).await.pointer(&path).is_none());
    assert!(worker.sync(&world, since(BOB, &first)).await.pointer(&path).is_none());
}

/// Wants ten events of a timeline.
fn ten(request: Request) -> Request {
    Request { filter: r#"{"room":{"timeline":{"limit":10}}}"#.into(), ..request }
}

#[tokio::test]
async fn a_limited_timeline_comes_with_the_state_that_changed_in_the_hole() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.send(ROOM, ALICE, set("m.room.topic", "", json!({"topic": "1"}))).await;
    let topic = world.send(ROOM, ALICE, set("m.room.topic", "", json!({"topic": "2"}))).await;
    let name = world.join(ROOM, "@carol:x").await;
    for n in 0..12 {
        world.say(ROOM, ALICE, &n.to_string()).await;
    }
    let body = worker.sync(&world, ten(since(BOB, &first))).await;
    assert_eq!(timeline(&body, "join", ROOM).len(), 10);
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], true);
    let mut sent = state(&body, "join", ROOM);
    sent.sort_unstable();
    let mut wanted = [topic.as_str(), name.as_str()];
    wanted.sort_unstable();
    assert_eq!(sent, wanted);
    assert_eq!(body["rooms"]["join"][ROOM]["summary"]["m.joined_member_count"], 3);
}

#[tokio::test]
async fn state_that_changed_in_the_hole_and_again_in_the_timeline_is_told_as_it_was_between() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let hole = world.send(ROOM, ALICE, set("m.room.topic", "", json!({"topic": "1"}))).await;
    for n in 0..9 {
        world.say(ROOM, ALICE, &n.to_string()).await;
    }
    let last = world.send(ROOM, ALICE, set("m.room.topic", "", json!({"topic": "2"}))).await;
    let body = worker.sync(&world, ten(since(BOB, &first))).await;
    assert!(timeline(&body, "join", ROOM).ends_with(&[last.as_str()]));
    assert_eq!(state(&body, "join", ROOM), [hole.as_str()]);
    let after = worker.sync(&world, Request { state_after: true, ..ten(since(BOB, &first)) }).await;
    assert_eq!(crate::world::ids(&after["rooms"]["join"][ROOM]["state_after"]["events"]), [last.as_str()]);
}

#[tokio::test]
async fn a_gap_in_history_limits_the_timeline() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.say(ROOM, ALICE, "before").await;
    world.gap(ROOM).await;
    let after = world.say(ROOM, ALICE, "after").await;
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(timeline(&body, "join", ROOM), [after.as_str()]);
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], true);
    let body = world.worker().sync(&world, request(BOB)).await;
    assert_eq!(timeline(&body, "join", ROOM), [after.as_str()]);
}

#[tokio::test]
async fn soft_failed_events_are_never_shown() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.send(ROOM, ALICE, Send { soft_failed: true, ..message("no") }).await;
    world.send(ROOM, ALICE, Send { soft_failed: true, ..set("m.room.name", "", json!({"name": "no"})) }).await;
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(body["rooms"]["join"], json!({}));
    let body = world.worker().sync(&world, request(BOB)).await;
    assert!(timeline(&body, "join", ROOM).len() == 4 && state(&body, "join", ROOM).is_empty());
}

#[tokio::test]
async fn a_redacted_event_is_shown_pruned() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let said = world.say(ROOM, ALICE, "regret").await;
    let redaction = world.redact(ROOM, ALICE, &said).await;
    for mut worker in [worker, world.worker()] {
        let body = worker.sync(&world, since(BOB, &first)).await;
        assert_eq!(timeline(&body, "join", ROOM), [said.as_str(), redaction.as_str()]);
        let event = &body["rooms"]["join"][ROOM]["timeline"]["events"][0];
        assert_eq!(event["content"], json!({}));
        assert_eq!(event["unsigned"]["redacted_because"]["event_id"], redaction.as_str());
        assert!(!body.to_string().contains("regret"));
    }
}

#[tokio::test]
async fn a_newly_joined_room_comes_whole() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    for n in 0..12 {
        world.say(ROOM, ALICE, &n.to_string()).await;
    }
    let join = world.join(ROOM, "@carol:x").await;
    let body = worker.sync(&world, since("@carol:x", &first)).await;
    let shown = timeline(&body, "join", ROOM);
    assert_eq!((shown.len(), shown.last().copied()), (10, Some(join.as_str())));
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], true);
    assert_eq!(state(&body, "join", ROOM).len(), 4);
    assert_eq!(body["rooms"]["join"][ROOM]["summary"]["m.joined_member_count"], 3);
}

#[tokio::test]
async fn history_from_before_a_join_is_told_as_the_room_allows() {
    let mut world = world().await;
    world.send(ROOM, ALICE, set("m.room.history_visibility", "", json!({"history_visibility": "joined"}))).await;
    let secret = world.say(ROOM, ALICE, "secret").await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    let join = world.join(ROOM, "@carol:x").await;
    let said = world.say(ROOM, ALICE, "hello").await;
    for body in [worker.sync(&world, since("@carol:x", &first)).await, worker.sync(&world, request("@carol:x")).await] {
        let shown = timeline(&body, "join", ROOM);
        assert!(shown.ends_with(&[join.as_str(), said.as_str()]), "{shown:?}");
        assert!(!shown.contains(&secret.as_str()));
    }
}

#[tokio::test]
async fn an_event_of_a_branch_without_the_reader_is_judged_by_its_own_state() {
    let mut world = world().await;
    world.send(ROOM, ALICE, set("m.room.history_visibility", "", json!({"history_visibility": "joined"}))).await;
    let before = world.rooms[ROOM].clone();
    let mut worker = world.worker();
    world.join(ROOM, "@carol:x").await;
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    // A branch from before the join: the state after its events has no carol.
    let branch = Some(before.state);
    world.send(ROOM, ALICE, Send { branch: branch.clone(), ..set("m.room.topic", "", json!({"topic": "branch"})) }).await;
    // Nothing but its own state hides a message.
    world.send(ROOM, ALICE, Send { branch, ..message("unheard") }).await;
    let said = world.say(ROOM, ALICE, "hello").await;
    let body = worker.sync(&world, since("@carol:x", &first)).await;
    assert_eq!(timeline(&body, "join", ROOM), [said.as_str()]);
}

#[tokio::test]
async fn account_data_comes_once_globally_and_with_its_room() {
    let mut world = world().await;
    let mut worker = world.worker();
    world.account_data(BOB, "", "m.direct", &json!({"a": 1})).await;
    world.account_data(BOB, ROOM, "m.tag", &json!({"tags": {}})).await;
    let mut client = Client::default();
    client.take(&worker.sync(&world, request(BOB)).await);
    assert_eq!(client.account_data[&(String::new(), "m.direct".to_owned())], json!({"a": 1}));
    assert_eq!(client.account_data[&(ROOM.to_owned(), "m.tag".to_owned())], json!({"tags": {}}));
    world.account_data(BOB, ROOM, "m.tag", &json!({"tags": {"x": {}}})).await;
    world.account_data(ALICE, "", "m.direct", &json!({"not": "bob's"})).await;
    let old = client.token.clone().unwrap();
    let body = worker.sync(&world, since(BOB, &old)).await;
    assert_eq!(body["rooms"]["join"][ROOM]["account_data"]["events"], json!([{"content": {"tags": {"x": {}}}, "type": "m.tag"}]));
    assert_eq!(body["account_data"]["events"], json!([]));
    assert_eq!(timeline(&body, "join", ROOM), Vec::<&str>::new());
    // A worker whose tail does not reach back finds it in the rows.
    let mut late = world.worker();
    late.begin_at_end(&world);
    assert_eq!(
        late.sync(&world, since(BOB, &old)).await["rooms"]["join"][ROOM]["account_data"],
        body["rooms"]["join"][ROOM]["account_data"]
    );
}

#[tokio::test]
async fn ignored_users_say_nothing_but_state() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.account_data(BOB, "", "m.ignored_user_list", &json!({"ignored_users": {ALICE: {}}})).await;
    world.say(ROOM, ALICE, "unheard").await;
    let name = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "n"}))).await;
    world.create("!other:x", ALICE).await;
    world.send("!other:x", ALICE, member(BOB, "invite")).await;
    for mut worker in [worker, world.worker()] {
        let body = worker.sync(&world, since(BOB, &first)).await;
        assert_eq!(timeline(&body, "join", ROOM), [name.as_str()]);
        assert_eq!(body["rooms"]["invite"], json!({}));
        let body = worker.sync(&world, request(BOB)).await;
        assert!(!body.to_string().contains("unheard"));
        assert_eq!(body["rooms"]["invite"], json!({}));
    }
}

#[tokio::test]
async fn invites_are_hidden_from_who_takes_none() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    world.send(ROOM, ALICE, member("@carol:x", "invite")).await;
    let config = "m.invite_permission_config";
    for (content, shown) in [(json!({"default_action": "block"}), false), (json!({}), true)] {
        world.account_data("@carol:x", "", config, &content).await;
        for request in [request("@carol:x"), since("@carol:x", &first)] {
            for worker in [&mut worker, &mut world.worker()] {
                let body = worker.sync(&world, request.clone()).await;
                assert_eq!(body["rooms"]["invite"].get(ROOM).is_some(), shown);
            }
        }
    }
}

#[tokio::test]
async fn an_invite_comes_with_stripped_state_and_itself() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    world.send(ROOM, ALICE, member("@carol:x", "invite")).await;
    for body in [worker.sync(&world, since("@carol:x", &first)).await, world.worker().sync(&world, request("@carol:x")).await] {
        let events = body["rooms"]["invite"][ROOM]["invite_state"]["events"].as_array().unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0]["type"], "m.room.create");
        assert_eq!(events[1]["content"]["membership"], "invite");
        assert_eq!(events[1]["sender"], ALICE);
        assert_eq!(body["rooms"]["join"], json!({}));
    }
    let second = token(&worker.sync(&world, since("@carol:x", &first)).await).to_owned();
    world.say(ROOM, ALICE, "unseen").await;
    assert_eq!(worker.sync(&world, since("@carol:x", &second)).await["rooms"]["invite"], json!({}));
    world.send(ROOM, "@dora:x", member("@dora:x", "knock")).await;
    let body = worker.sync(&world, request("@dora:x")).await;
    assert_eq!(body["rooms"]["knock"][ROOM]["knock_state"]["events"][1]["content"]["membership"], "knock");
}

#[tokio::test]
async fn full_state_tells_all_state_of_all_rooms_at_once() {
    let mut world = world().await;
    world.create("!quiet:x", BOB).await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let said = world.say(ROOM, ALICE, "hi").await;
    let full = Request { full_state: true, timeout: std::time::Duration::from_secs(3600), ..since(BOB, &first) };
    let body = worker.sync(&world, full).await;
    assert_eq!(timeline(&body, "join", ROOM), [said.as_str()]);
    assert_eq!(state(&body, "join", ROOM).len(), 4);
    assert_eq!(state(&body, "join", "!quiet:x").len(), 3);
    assert_eq!(timeline(&body, "join", "!quiet:x"), Vec::<&str>::new());
}

#[tokio::test]
async fn a_token_older_than_the_tails_is_answered_from_the_rows() {
    let mut world = world().await;
    world.create("!quiet:x", BOB).await;
    let mut worker = world.worker();
    let mut client = Client::default();
    client.take(&worker.sync(&world, request(BOB)).await);
    let topic = world.send(ROOM, ALICE, set("m.room.topic", "", json!({"topic": "1"}))).await;
    let said = world.say(ROOM, ALICE, "hi").await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    let body = late.sync(&world, since(BOB, client.token.as_ref().unwrap())).await;
    assert_eq!(timeline(&body, "join", ROOM), [topic.as_str(), said.as_str()]);
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], false);
    assert_eq!(state(&body, "join", ROOM), Vec::<&str>::new());
    assert!(body["rooms"]["join"].get("!quiet:x").is_none());
    client.take(&body);
    assert_eq!(client.joined[ROOM].state, world.rooms[ROOM].current);
}

#[tokio::test]
async fn a_text_that_is_no_token_is_an_invalid_parameter() {
    let world = world().await;
    let mut worker = world.worker();
    worker.catch_up(&world);
    for text in ["s72594_4483_1934", "tAYwBAQ", "s", "x"] {
        let error = ServiceError::from(sync(&worker.syncs, since(BOB, text)).await.unwrap_err());
        assert_eq!(error.errcode.as_deref(), Some("M_INVALID_PARAM"), "{text}");
    }
    let filter = Request { filter: "[]".into(), ..request(BOB) };
    let error = ServiceError::from(sync(&worker.syncs, filter).await.unwrap_err());
    assert_eq!(error.errcode.as_deref(), Some("M_BAD_JSON"));
}
