//! What is told of a room.

use banyan_sync::sliding::{Form, Request};
use serde_json::{Value, json};

use crate::{
    rooms::{Send, member, message, state as set},
    sliding::{ask, list, pos, rooms, shown, subscription},
    world::World,
};

const ROOM: &str = "!room:x";
const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.join(ROOM, ME).await;
    world
}

fn all(limit: u64) -> Value {
    list([0, 9], limit, &[])
}

fn room(body: &Value) -> &Value {
    &body["rooms"][ROOM]
}

#[tokio::test]
async fn first_all_of_it_then_what_is_new() {
    let mut world = world().await;
    let said = [world.say(ROOM, ZOE, "one").await, world.say(ROOM, ZOE, "two").await];
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(2))).await;
    let told = room(&body);
    assert_eq!(shown(&body, ROOM), said);
    assert_eq!((&told["initial"], &told["limited"], &told["num_live"]), (&json!(true), &json!(true), &json!(0)));
    assert_eq!((&told["joined_count"], &told["invited_count"], &told["membership"]), (&json!(2), &json!(0), &json!("join")));
    assert_eq!((&told["notification_count"], &told["highlight_count"]), (&json!(0), &json!(0)));
    assert!(told["prev_batch"].as_str().unwrap().starts_with('t'));
    let third = world.say(ROOM, ZOE, "three").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&body)), &all(2))).await;
    let news = room(&next);
    assert_eq!(shown(&next, ROOM), [third.as_str()]);
    assert_eq!((&news["limited"], &news["num_live"], news.get("initial")), (&json!(false), &json!(1), None));
    assert!(news["bump_stamp"].as_i64().unwrap() > told["bump_stamp"].as_i64().unwrap());
    assert!(news.get("joined_count").is_none() && news.get("heroes").is_none() && news.get("name").is_none());
    for n in 0..3 {
        world.say(ROOM, ZOE, &n.to_string()).await;
    }
    let gap = worker.slide(&world, ask(ME, Some(pos(&next)), &all(2))).await;
    assert_eq!((shown(&gap, ROOM).len(), &room(&gap)["limited"], &room(&gap)["num_live"]), (2, &json!(true), &json!(2)));
    assert_eq!(rooms(&worker.slide(&world, ask(ME, Some(pos(&gap)), &all(2))).await), Vec::<&str>::new());
}

#[tokio::test]
async fn bump_stamps_compare_over_rooms_and_state_does_not_bump() {
    let mut world = world().await;
    world.create("!other:x", ZOE).await;
    world.join("!other:x", ME).await;
    world.say(ROOM, ZOE, "first").await;
    world.say("!other:x", ZOE, "second").await;
    world.send(ROOM, ZOE, set("m.room.topic", "", json!({}))).await;
    let body = world.worker().slide(&world, ask(ME, None, &all(1))).await;
    let stamp = |room: &str| body["rooms"][room]["bump_stamp"].as_i64().unwrap();
    assert!(stamp(ROOM) < stamp("!other:x"));
}

#[tokio::test]
async fn a_room_that_comes_into_the_window_has_live_events() {
    let mut world = world().await;
    world.create("!other:x", ZOE).await;
    world.join("!other:x", ME).await;
    let mut worker = world.worker();
    let top = list([0, 0], 3, &[]);
    let body = worker.slide(&world, ask(ME, None, &top)).await;
    assert_eq!(rooms(&body), ["!other:x"]);
    world.say(ROOM, ZOE, "hey").await;
    let next = worker.slide(&world, ask(ME, Some(pos(&body)), &top)).await;
    assert_eq!((&room(&next)["initial"], &room(&next)["num_live"]), (&json!(true), &json!(1)));
    assert_eq!(shown(&next, ROOM).len(), 3);
}

#[tokio::test]
async fn names_avatars_heroes_and_counts_come_when_they_change() {
    let mut world = world().await;
    let profile = json!({"membership": "join", "displayname": "Zoe", "avatar_url": "mxc://x/zoe"});
    world.send(ROOM, ZOE, set("m.room.member", ZOE, profile)).await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(1))).await;
    let hero = json!([{"user_id": ZOE, "displayname": "Zoe", "avatar_url": "mxc://x/zoe"}]);
    assert_eq!((&room(&body)["heroes"], room(&body).get("name")), (&hero, None));
    world.send(ROOM, ZOE, set("m.room.name", "", json!({"name": "Tea"}))).await;
    world.send(ROOM, ZOE, set("m.room.avatar", "", json!({"url": "mxc://x/tea"}))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(9))).await;
    assert_eq!((&room(&body)["name"], &room(&body)["avatar"]), (&json!("Tea"), &json!("mxc://x/tea")));
    assert!(room(&body).get("heroes").is_none() && room(&body).get("joined_count").is_none());
    world.join(ROOM, "@new:x").await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(9))).await;
    assert_eq!(room(&body)["joined_count"], 3);
    assert!(room(&body).get("heroes").is_none() && room(&body).get("avatar").is_none());
    world.send(ROOM, ZOE, set("m.room.name", "", json!({}))).await;
    world.send(ROOM, ZOE, set("m.room.avatar", "", json!({}))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(9))).await;
    assert_eq!((room(&body).get("name"), room(&body).get("avatar")), (Some(&Value::Null), Some(&Value::Null)));
    assert_eq!(room(&body)["heroes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_direct_chat_is_told_when_it_becomes_one_or_none() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(1))).await;
    assert!(room(&body).get("is_dm").is_none());
    world.account_data(ME, "", "m.direct", &json!({ZOE: [ROOM]})).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!((&room(&body)["is_dm"], room(&body).get("initial")), (&json!(true), None));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!(rooms(&body), Vec::<&str>::new());
    world.account_data(ME, "", "m.direct", &json!({})).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!(room(&body)["is_dm"], false);
}

#[tokio::test]
async fn an_invite_has_its_state_and_nothing_else_and_a_join_after_it_all() {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.send(ROOM, ZOE, set("m.room.name", "", json!({"name": "secret"}))).await;
    world.send(ROOM, ZOE, member(ME, "invite")).await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &list([0, 9], 9, &[["*", "*"]]))).await;
    let told = room(&body);
    let kinds: Vec<&str> = told["invite_state"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["m.room.create", "m.room.member"]);
    assert_eq!((&told["membership"], &told["initial"]), (&json!("invite"), &json!(true)));
    for member in ["timeline", "required_state", "name", "joined_count", "heroes", "prev_batch", "limited", "num_live"] {
        assert!(told.get(member).is_none(), "{member}");
    }
    world.say(ROOM, ZOE, "not yet").await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(9))).await;
    assert_eq!(rooms(&body), Vec::<&str>::new());
    world.join(ROOM, ME).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(2))).await;
    assert_eq!((&room(&body)["initial"], &room(&body)["name"], shown(&body, ROOM).len()), (&json!(true), &json!("secret"), 2));
}

#[tokio::test]
async fn a_knock_is_told_like_an_invite() {
    let mut world = World::new();
    world.create(ROOM, ZOE).await;
    world.send(ROOM, ME, member(ME, "knock")).await;
    let body = world.worker().slide(&world, ask(ME, None, &all(1))).await;
    assert_eq!((&room(&body)["membership"], room(&body)["invite_state"].as_array().unwrap().len()), (&json!("knock"), 2));
}

#[tokio::test]
async fn a_kick_ends_the_room_and_later_events_are_not_seen() {
    let mut world = world().await;
    let mut worker = world.worker();
    let state = [["m.room.member", "$ME"], ["m.room.topic", ""]];
    let body = worker.slide(&world, ask(ME, None, &list([0, 9], 5, &state))).await;
    let said = world.say(ROOM, ZOE, "bye").await;
    let kick = world.send(ROOM, ZOE, member(ME, "leave")).await;
    world.send(ROOM, ZOE, set("m.room.topic", "", json!({"topic": "gone"}))).await;
    for mut worker in [worker, world.worker()] {
        let body = worker.slide(&world, ask(ME, Some(pos(&body)), &list([0, 9], 5, &state))).await;
        assert_eq!(shown(&body, ROOM)[shown(&body, ROOM).len() - 2..], [said.as_str(), kick.as_str()]);
        assert!(!body.to_string().contains("gone"));
        assert_eq!(crate::sliding::members(&body, ROOM), [ME]);
    }
}

#[tokio::test]
async fn a_larger_timeline_limit_brings_older_events_at_once() {
    let mut world = world().await;
    let mut said = Vec::new();
    for n in 0..6 {
        said.push(world.say(ROOM, ZOE, &n.to_string()).await);
    }
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(1))).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(4))).await;
    assert_eq!(shown(&body, ROOM), &said[2..]);
    let told = room(&body);
    assert_eq!((&told["unstable_expanded_timeline"], &told["num_live"], told.get("initial")), (&json!(true), &json!(0), None));
    // Once: and a smaller limit and the same again are no news, for nothing was left out meanwhile.
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    said.push(world.say(ROOM, ZOE, "next").await);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!(shown(&body, ROOM), &said[6..]);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(4))).await;
    assert_eq!(rooms(&body), Vec::<&str>::new());
    // After a hole, it is.
    for n in 0..2 {
        said.push(world.say(ROOM, ZOE, &n.to_string()).await);
    }
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!(room(&body)["limited"], true);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(4))).await;
    assert_eq!(shown(&body, ROOM), &said[5..]);
    // So it is after a time without a timeline.
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(0))).await;
    said.push(world.say(ROOM, ZOE, "unheard").await);
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(0))).await;
    assert_eq!((rooms(&body), room(&body).get("timeline")), (vec![ROOM], None));
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(4))).await;
    assert_eq!(shown(&body, ROOM), &said[6..]);
}

#[tokio::test]
async fn ignored_users_are_not_shown() {
    let mut world = world().await;
    world.account_data(ME, "", "m.ignored_user_list", &json!({"ignored_users": {ZOE: {}}})).await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(9))).await;
    world.say(ROOM, ZOE, "spam").await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(9))).await;
    assert_eq!(rooms(&body), Vec::<&str>::new());
}

#[tokio::test]
async fn the_sender_recognises_an_event_by_its_transaction() {
    let mut world = world().await;
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &all(1))).await;
    let transaction = banyan_proto::rooms::Transaction {
        user_id: ME.to_owned(),
        device_id: "D".to_owned(),
        txn_id: "t1".to_owned(),
        ..banyan_proto::rooms::Transaction::default()
    };
    world.send(ROOM, ME, Send { transaction: Some(transaction), ..message("mine") }).await;
    let body = worker.slide(&world, ask(ME, Some(pos(&body)), &all(1))).await;
    assert_eq!(room(&body)["timeline"][0]["unsigned"]["transaction_id"], "t1");
    assert!(room(&body)["timeline"][0].get("room_id").is_none());
}

#[tokio::test]
async fn an_old_position_is_answered_from_the_rows() {
    let mut world = world().await;
    let state = [["m.room.topic", ""]];
    let mut worker = world.worker();
    let body = worker.slide(&world, ask(ME, None, &list([0, 9], 2, &state))).await;
    let said = world.say(ROOM, ZOE, "one").await;
    let topic = world.send(ROOM, ZOE, set("m.room.topic", "", json!({"topic": "t"}))).await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    let next = late.slide(&world, ask(ME, Some(pos(&body)), &list([0, 9], 2, &state))).await;
    assert_eq!(shown(&next, ROOM), [said.as_str(), topic.as_str()]);
    assert_eq!((crate::world::ids(&room(&next)["required_state"]), &room(&next)["limited"]), (vec![topic.as_str()], &json!(false)));
    let quiet = late.slide(&world, ask(ME, Some(pos(&next)), &subscription(ROOM, 2, &state))).await;
    assert_eq!(rooms(&quiet), Vec::<&str>::new());
}

#[tokio::test]
async fn a_timeline_that_is_cut_short_has_aggregations() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(ME, None, &all(2))).await;
    let thread = world.say(ROOM, ZOE, "thread").await;
    let mut reply = message("reply");
    reply.content["m.relates_to"] = json!({"rel_type": "m.thread", "event_id": thread});
    let reply = world.send(ROOM, ZOE, reply).await;
    let count = |body: &Value| body["rooms"][ROOM]["timeline"][0]["unsigned"]["m.relations"]["m.thread"]["count"].clone();
    let mut late = world.worker();
    late.begin_at_end(&world);
    for mut worker in [world.worker(), late] {
        let whole = worker.slide(&world, ask(ME, Some(pos(&first)), &all(2))).await;
        assert_eq!((shown(&whole, ROOM), count(&whole)), (vec![thread.as_str(), reply.as_str()], Value::Null));
        let mut anew = all(2);
        anew["conn_id"] = json!("another");
        let short = worker.slide(&world, ask(ME, None, &anew)).await;
        assert_eq!((shown(&short, ROOM), count(&short)), (vec![thread.as_str(), reply.as_str()], json!(1)));
    }
}

#[tokio::test]
async fn in_the_form_of_the_proposal_some_fields_have_other_names() {
    let mut world = world().await;
    world.say(ROOM, ZOE, "one").await;
    world.create("!other:x", ZOE).await;
    world.send("!other:x", ZOE, member(ME, "invite")).await;
    let ask = |pos: Option<&str>, limit: u64| {
        let state = json!({"include": [{}], "exclude": [{"type": "m.room.join_rules"}], "lazy_members": true});
        let body = json!({"lists": {"a": {"range": [0, 9], "timeline_limit": limit, "required_state": state}}});
        Request { form: Form::Stable, ..ask(ME, pos, &body) }
    };
    let mut worker = world.worker();
    let first = worker.slide(&world, ask(None, 1)).await;
    assert_eq!(first["rooms"]["!other:x"]["stripped_state"].as_array().unwrap().len(), 2);
    for member in ["invite_state", "notification_count", "highlight_count"] {
        assert!(first["rooms"]["!other:x"].get(member).is_none() && room(&first).get(member).is_none(), "{member}");
    }
    let told = |kind: &str| crate::sliding::keys(&first, ROOM).iter().any(|(told, _)| told == kind);
    assert!(told("m.room.create") && told("m.room.member") && !told("m.room.join_rules"));
    let more = worker.slide(&world, ask(Some(pos(&first)), 2)).await;
    assert_eq!((&room(&more)["expanded_timeline"], room(&more).get("unstable_expanded_timeline")), (&json!(true), None));
}
