//! Which rooms are told: lists with ranges and filters, and subscriptions.

use banyan_core::{ErrorCode, ServiceError};
use serde_json::{Value, json};

use crate::{
    rooms::{member, state as set},
    sliding::{ask, filtered, list, pos, rooms, subscription},
    world::World,
};

const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

/// Rooms 1 to n, the last one the most recently active.
async fn world(n: usize) -> World {
    let mut world = World::new();
    for room in 1..=n {
        world.create(&format!("!{room}:x"), ZOE).await;
        world.join(&format!("!{room}:x"), ME).await;
    }
    world
}

async fn with(world: &World, filters: Value) -> Vec<String> {
    let body = world.worker().slide(world, ask(ME, None, &filtered(&filters))).await;
    let found: Vec<String> = rooms(&body).into_iter().map(str::to_owned).collect();
    assert_eq!(body["lists"]["a"]["count"], found.len());
    found
}

#[tokio::test]
async fn the_most_recently_active_come_first_and_the_count_is_of_all() {
    let mut world = world(4).await;
    world.say("!2:x", ZOE, "up").await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &list([0, 1], 1, &[]))).await;
    assert_eq!(rooms(&body), ["!2:x", "!4:x"]);
    assert_eq!(body["lists"], json!({"a": {"count": 4}}));
    assert_eq!(body["rooms"]["!2:x"]["lists"], json!(["a"]));
    // A wider range brings what the client lacks, and nothing else.
    let wide = list([0, 9], 1, &[]);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &wide)).await;
    assert_eq!(rooms(&body), ["!1:x", "!3:x"]);
    // A state event moves a room up, too, whoever answers.
    world.send("!1:x", ZOE, set("m.room.topic", "", json!({}))).await;
    for worker in [&mut worker, &mut world.worker()] {
        assert_eq!(rooms(&worker.slide(&world, ask(ME, None, &list([0, 0], 1, &[]))).await), ["!1:x"]);
    }
}

#[tokio::test]
async fn ranges_and_lists_overlap() {
    let world = world(5).await;
    let body = json!({"lists": {
        "a": {"ranges": [[0, 0], [2, 2]], "timeline_limit": 1, "required_state": [["m.room.create", ""]]},
        "b": {"ranges": [[2, 3]], "timeline_limit": 3, "required_state": [["m.room.join_rules", ""]]},
        "c": {"ranges": [[7, 9]], "timeline_limit": 3},
    }});
    let body = world.worker().slide(&world, ask(ME, None, &body)).await;
    assert_eq!(rooms(&body), ["!2:x", "!3:x", "!5:x"]);
    let both = &body["rooms"]["!3:x"];
    assert_eq!(both["lists"], json!(["a", "b"]));
    assert_eq!((both["timeline"].as_array().unwrap().len(), both["required_state"].as_array().unwrap().len()), (3, 2));
    assert_eq!(body["rooms"]["!5:x"]["timeline"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn filters_by_state() {
    let mut world = world(3).await;
    world.send("!1:x", ZOE, set("m.room.encryption", "", json!({"algorithm": "m.megolm.v1.aes-sha2"}))).await;
    world.send("!2:x", ZOE, set("m.room.name", "", json!({"name": "Green Tea"}))).await;
    assert_eq!(with(&world, json!({"is_encrypted": true})).await, ["!1:x"]);
    assert_eq!(with(&world, json!({"is_encrypted": false})).await, ["!2:x", "!3:x"]);
    assert_eq!(with(&world, json!({"room_name_like": "ten te"})).await, Vec::<String>::new());
    assert_eq!(with(&world, json!({"room_name_like": "een TE"})).await, ["!2:x"]);
    assert_eq!(with(&world, json!({"room_types": ["m.space"]})).await, Vec::<String>::new());
    assert_eq!(with(&world, json!({"room_types": [null], "not_room_types": ["m.space"]})).await.len(), 3);
    assert_eq!(with(&world, json!({"not_room_types": [null]})).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_filter_sees_what_changes() {
    let mut world = world(2).await;
    let mut worker = world.worker();
    let encrypted = filtered(&json!({"is_encrypted": true}));
    let body = worker.slide(&world, ask(ME, None, &encrypted)).await;
    assert_eq!(body["lists"]["a"]["count"], 0);
    world.send("!1:x", ZOE, set("m.room.encryption", "", json!({}))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &encrypted)).await;
    assert_eq!((rooms(&body), &body["lists"]["a"]["count"]), (vec!["!1:x"], &json!(1)));
}

#[tokio::test]
async fn filters_by_what_the_user_noted() {
    let mut world = world(3).await;
    world.account_data(ME, "", "m.direct", &json!({ZOE: ["!1:x", "!9:x"]})).await;
    world.account_data(ME, "!2:x", "m.tag", &json!({"tags": {"m.favourite": {}, "u.work": {}}})).await;
    assert_eq!(with(&world, json!({"is_dm": true})).await, ["!1:x"]);
    assert_eq!(with(&world, json!({"is_dm": false})).await, ["!2:x", "!3:x"]);
    assert_eq!(with(&world, json!({"tags": ["u.work", "u.other"]})).await, ["!2:x"]);
    assert_eq!(with(&world, json!({"tags": ["u.work"], "not_tags": ["m.favourite"]})).await, Vec::<String>::new());
    assert_eq!(with(&world, json!({"not_tags": ["m.favourite"]})).await, ["!1:x", "!3:x"]);
    let mut worker = world.worker();
    let dms = filtered(&json!({"is_dm": true}));
    let body = worker.slide(&world, ask(ME, None, &dms)).await;
    world.account_data(ME, "", "m.direct", &json!({ZOE: ["!3:x"]})).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &dms)).await;
    assert_eq!(rooms(&body), ["!3:x"]);
}

#[tokio::test]
async fn filters_by_spaces_that_the_user_is_in() {
    let mut world = world(4).await;
    world.create("!hidden:x", ZOE).await;
    for (space, child, content) in
        [("!4:x", "!1:x", json!({"via": ["x"]})), ("!4:x", "!2:x", json!({})), ("!hidden:x", "!3:x", json!({"via": ["x"]}))]
    {
        world.send(space, ZOE, set("m.space.child", child, content)).await;
    }
    assert_eq!(with(&world, json!({"spaces": ["!4:x", "!hidden:x", "!none:x"]})).await, ["!1:x"]);
    let mut worker = world.worker();
    let inside = filtered(&json!({"spaces": ["!4:x"]}));
    let body = worker.slide(&world, ask(ME, None, &inside)).await;
    world.send("!4:x", ZOE, set("m.space.child", "!2:x", json!({"via": ["x"]}))).await;
    assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(pos(&body)), &inside)).await), ["!2:x"]);
}

#[tokio::test]
async fn invites_are_listed_unless_their_sender_is_ignored() {
    let mut world = world(1).await;
    world.create("!invite:x", ZOE).await;
    world.send("!invite:x", ZOE, member(ME, "invite")).await;
    world.create("!spam:x", "@spam:x").await;
    world.send("!spam:x", "@spam:x", member(ME, "invite")).await;
    world.account_data(ME, "", "m.ignored_user_list", &json!({"ignored_users": {"@spam:x": {}}})).await;
    assert_eq!(with(&world, json!({})).await, ["!1:x", "!invite:x"]);
    assert_eq!(with(&world, json!({"is_invite": true})).await, ["!invite:x"]);
    assert_eq!(with(&world, json!({"is_invite": false})).await, ["!1:x"]);
    // Nor if the user takes none.
    world.account_data(ME, "", "m.invite_permission_config", &json!({"default_action": "block"})).await;
    assert_eq!(with(&world, json!({})).await, ["!1:x"]);
    world.account_data(ME, "", "m.invite_permission_config", &json!({})).await;
    // What came with the invite is all that is known of it.
    assert_eq!(with(&world, json!({"is_invite": true, "is_encrypted": false, "room_types": [null]})).await, ["!invite:x"]);
}

#[tokio::test]
async fn rooms_one_left_are_told_once_and_rooms_one_was_removed_from_stay() {
    let mut world = world(3).await;
    let all = list([0, 9], 1, &[]);
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &all)).await;
    world.send("!1:x", ME, member(ME, "leave")).await;
    world.send("!2:x", ZOE, member(ME, "leave")).await;
    world.send("!3:x", ZOE, member(ME, "ban")).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&first)), &all)).await;
    assert_eq!(rooms(&body), ["!1:x", "!2:x", "!3:x"]);
    assert_eq!(body["rooms"]["!1:x"]["membership"], "leave");
    assert_eq!(body["rooms"]["!3:x"]["membership"], "ban");
    let next = worker.slide(&world, ask(ME, Some(pos(&body)), &all)).await;
    assert_eq!((rooms(&next), &next["lists"]["a"]["count"]), (vec![], &json!(2)));
    // The response with the leave was lost: it comes again.
    let again = worker.slide(&world, ask(ME, Some(pos(&first)), &all)).await;
    assert_eq!(rooms(&again), ["!1:x", "!2:x", "!3:x"]);
    // A new connection hears of those it was removed from.
    let anew = world.worker().slide(&world, ask(ME, None, &all)).await;
    assert_eq!(rooms(&anew), ["!2:x", "!3:x"]);
    assert_eq!(anew["rooms"]["!2:x"]["initial"], true);
}

#[tokio::test]
async fn who_was_banned_without_having_been_there_is_not_told() {
    let mut world = world(1).await;
    world.create("!other:x", ZOE).await;
    world.send("!other:x", ZOE, member(ME, "ban")).await;
    assert_eq!(with(&world, json!({})).await, ["!1:x"]);
}

#[tokio::test]
async fn subscriptions_bring_rooms_that_one_may_see() {
    let mut world = world(3).await;
    world.create("!secret:x", ZOE).await;
    let mut body = list([0, 0], 1, &[]);
    let config = json!({"timeline_limit": 2});
    body["room_subscriptions"] = json!({"!1:x": config, "!secret:x": config, "!none:x": config, "nonsense": config});
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &body)).await;
    assert_eq!(rooms(&first), ["!1:x", "!3:x"]);
    assert!(first["rooms"]["!1:x"].get("lists").is_none());
    // Without the subscription, the room is told no more; with it again, all that happened meanwhile is.
    world.say("!1:x", ZOE, "one").await;
    let only_list = list([0, 0], 1, &[]);
    let narrow = json!({"lists": {"a": {"ranges": [[1, 1]], "timeline_limit": 1}}});
    let unsubscribed = worker.slide(&world, ask(ME, Some(pos(&first)), &narrow)).await;
    assert_eq!(rooms(&unsubscribed), Vec::<&str>::new());
    let again = worker.slide(&world, ask(ME, Some(pos(&unsubscribed)), &subscription("!1:x", 2, &[]))).await;
    assert_eq!(again["rooms"]["!1:x"]["timeline"].as_array().unwrap().len(), 1);
    assert!(again["rooms"]["!1:x"].get("initial").is_none());
    assert_eq!(rooms(&worker.slide(&world, ask(ME, None, &only_list)).await), ["!1:x"]);
    // Of a room that was left, what one may know.
    world.send("!2:x", ME, member(ME, "leave")).await;
    world.say("!2:x", ZOE, "not for you").await;
    let left = worker.slide(&world, ask(ME, None, &subscription("!2:x", 5, &[]))).await;
    assert_eq!((rooms(&left), left.to_string().contains("not for you")), (vec!["!2:x"], false));
    let after = worker.slide(&world, ask(ME, Some(pos(&left)), &subscription("!2:x", 5, &[]))).await;
    assert_eq!(rooms(&after), Vec::<&str>::new());
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let world = world(1).await;
    let mut worker = world.worker();
    worker.catch_up(&world);
    for (body, errcode) in [
        (json!({"lists": 1}), "M_BAD_JSON"),
        (list([0, 1], 1, &[["", ""]; 300]), "M_INVALID_PARAM"),
        (json!({"lists": {"a": {"ranges": [[2, 1]], "timeline_limit": 1}}}), "M_INVALID_PARAM"),
    ] {
        let error = ServiceError::from(worker.answer(ask(ME, None, &body)).await.unwrap_err());
        assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::InvalidArgument, Some(errcode)));
    }
}
