//! What relates to an event, threads, and the aggregations that events are shown with.

use banyan_proto::users::{AccountDataChanged, user_entry::Kind};
use serde_json::{Value, json};

use crate::{
    room::{ROOM, Room},
    world::{ALICE, World, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const V1: &str = "/_matrix/client/v1";
const BOB: &str = "@bob:one.test";
const CAROL: &str = "@carol:one.test";

fn ids(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect()
}

fn text(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

fn related(rel_type: &str, event_id: &str) -> Value {
    json!({"body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id}})
}

fn edit(event_id: &str, body: &str) -> Value {
    let mut content = related("m.replace", event_id);
    content["m.new_content"] = text(body);
    content
}

async fn say(world: &World, room: &mut Room, sender: &str, content: Value) -> String {
    room.add(world, "m.room.message", None, sender, content).await
}

async fn react(world: &World, room: &mut Room, sender: &str, event_id: &str) -> String {
    let mut content = related("m.annotation", event_id);
    content["m.relates_to"]["key"] = "+".into();
    room.add(world, "m.reaction", None, sender, content).await
}

async fn relations(world: &World, rest: &str) -> Value {
    let (status, page) = world.get(&format!("{V1}/rooms/{ROOM}/relations/{rest}")).await;
    assert_eq!(status.as_u16(), 200, "{page}");
    page
}

async fn ignore(world: &World, user: &str) {
    let content = json!({"ignored_users": {user: {}}}).to_string().into_bytes();
    let r#type = "m.ignored_user_list".to_owned();
    let list = AccountDataChanged { room_id: String::new(), r#type, content: content.into() };
    world.user_entry(ALICE, Kind::AccountData(list)).await;
}

/// What `event` is shown with by an endpoint that shows one event.
async fn bundle(world: &World, event_id: &str) -> Value {
    world.get(&format!("{V3}/rooms/{ROOM}/event/{event_id}")).await.1["unsigned"]["m.relations"].clone()
}

#[tokio::test]
async fn what_relates_to_an_event_is_listed_newest_first_and_by_kind() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    let reply = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    let dummy = room.add(&world, "m.dummy", None, ALICE, related("m.thread", &root)).await;
    let edited = say(&world, &mut room, ALICE, edit(&root, "new")).await;
    let reaction = react(&world, &mut room, BOB, &root).await;
    say(&world, &mut room, BOB, json!({"m.relates_to": {"m.in_reply_to": {"event_id": root}}})).await;
    let page = relations(&world, &root).await;
    assert_eq!(ids(&page["chunk"]), [&reaction, &edited, &dummy, &reply]);
    assert!(page.get("next_batch").is_none() && page.get("prev_batch").is_none() && page.get("recursion_depth").is_none());
    assert_eq!((&page["chunk"][0]["room_id"], &page["chunk"][0]["sender"]), (&json!(ROOM), &json!(BOB)));
    assert_eq!(ids(&relations(&world, &format!("{root}/m.thread")).await["chunk"]), [&dummy, &reply]);
    assert_eq!(ids(&relations(&world, &format!("{root}/m.thread/m.room.message")).await["chunk"]), [&reply]);
    assert_eq!(ids(&relations(&world, &format!("{root}?dir=f&limit=2")).await["chunk"]), [&reply, &dummy]);
    assert_eq!(relations(&world, &reply).await["chunk"], json!([]));
    // Whoever is redacted relates to nothing any more.
    room.redact(&world, &reply, BOB).await;
    assert_eq!(ids(&relations(&world, &format!("{root}/m.thread")).await["chunk"]), [&dummy]);
    // What is redacted keeps what relates to it.
    room.redact(&world, &root, ALICE).await;
    assert_eq!(ids(&relations(&world, &root).await["chunk"]), [&reaction, &edited, &dummy]);
    ignore(&world, BOB).await;
    assert_eq!(ids(&relations(&world, &root).await["chunk"]), [&edited, &dummy]);
}

#[tokio::test]
async fn relations_are_paged_in_both_directions() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    let mut replies = Vec::new();
    for _ in 0..7 {
        replies.push(say(&world, &mut room, ALICE, related("m.thread", &root)).await);
    }
    for (dir, recurse) in [("b", ""), ("f", ""), ("b", "&recurse=true"), ("f", "&recurse=true")] {
        let (mut seen, mut from, mut first) = (Vec::new(), String::new(), String::new());
        loop {
            let page = relations(&world, &format!("{root}/m.thread?dir={dir}&limit=3{recurse}{from}")).await;
            seen.extend(ids(&page["chunk"]).into_iter().map(str::to_owned));
            let Some(next) = page["next_batch"].as_str() else { break };
            from = format!("&from={next}");
            if first.is_empty() {
                next.clone_into(&mut first);
            }
        }
        if dir == "b" {
            seen.reverse();
        }
        assert_eq!(seen, replies, "{dir}{recurse}");
        let bounded = relations(&world, &format!("{root}?dir={dir}&to={first}{recurse}")).await;
        assert_eq!(bounded["chunk"].as_array().unwrap().len(), 3, "{dir}{recurse}");
        let later = relations(&world, &format!("{root}?dir={dir}&from={first}{recurse}")).await;
        assert_eq!((later["chunk"].as_array().unwrap().len(), &later["prev_batch"]), (4, &json!(first)));
    }
    // A token of /messages does as well.
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/messages?dir=b&limit=2")).await;
    let from = page["end"].as_str().unwrap();
    assert_eq!(ids(&relations(&world, &format!("{root}?from={from}&limit=1")).await["chunk"]), [&replies[4]]);
}

#[tokio::test]
async fn indirect_relations_are_followed_on_request() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    let one = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    let two = react(&world, &mut room, ALICE, &one).await;
    let three = say(&world, &mut room, ALICE, related("m.reference", &two)).await;
    let four = say(&world, &mut room, ALICE, related("m.reference", &three)).await;
    let page = relations(&world, &format!("{root}?recurse=true")).await;
    assert_eq!((ids(&page["chunk"]), &page["recursion_depth"]), (vec![&*three, &*two, &*one], &json!(3)), "not {four}");
    let page = relations(&world, &format!("{root}?recurse=false")).await;
    assert_eq!(ids(&page["chunk"]), [&one]);
    // A filter is for what leads to others too.
    assert_eq!(ids(&relations(&world, &format!("{root}/m.thread?recurse=true")).await["chunk"]), [&one]);
    assert_eq!(ids(&relations(&world, &format!("{one}/m.annotation/m.other?recurse=true")).await["chunk"]), Vec::<&str>::new());
}

#[tokio::test]
async fn a_thread_is_aggregated_at_its_root() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB, CAROL]).await;
    let root = say(&world, &mut room, CAROL, text("root")).await;
    let first = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    let latest = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    let edited = say(&world, &mut room, BOB, edit(&latest, "new")).await;
    let thread = bundle(&world, &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["current_user_participated"]), (&json!(2), &json!(false)));
    assert_eq!((&thread["latest_event"]["event_id"], &thread["latest_event"]["room_id"]), (&json!(latest), &json!(ROOM)));
    // The latest event has aggregations of its own.
    assert_eq!(thread["latest_event"]["unsigned"]["m.relations"]["m.replace"]["event_id"], json!(edited));
    // What relates to another event is the root of no thread.
    let nested = say(&world, &mut room, BOB, related("m.thread", &first)).await;
    assert_eq!(bundle(&world, &first).await, Value::Null, "{nested}");
    say(&world, &mut room, ALICE, related("m.thread", &root)).await;
    let thread = bundle(&world, &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["current_user_participated"]), (&json!(3), &json!(true)));
    room.redact(&world, &first, BOB).await;
    assert_eq!(bundle(&world, &root).await["m.thread"]["count"], 2);
    ignore(&world, BOB).await;
    let thread = bundle(&world, &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["sender"]), (&json!(1), &json!(ALICE)));
}

#[tokio::test]
async fn the_most_recent_valid_edit_is_aggregated() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    assert_eq!(bundle(&world, &root).await, Value::Null);
    let good = say(&world, &mut room, ALICE, edit(&root, "one")).await;
    // By someone else, of another type, without new content, of state.
    say(&world, &mut room, BOB, edit(&root, "two")).await;
    room.add(&world, "m.other", None, ALICE, edit(&root, "three")).await;
    say(&world, &mut room, ALICE, related("m.replace", &root)).await;
    room.add(&world, "m.room.message", Some("x"), ALICE, edit(&root, "four")).await;
    let replace = bundle(&world, &root).await["m.replace"].clone();
    assert_eq!((&replace["event_id"], &replace["content"]["m.new_content"]["body"]), (&json!(good), &json!("one")));
    let (_, event) = world.get(&format!("{V3}/rooms/{ROOM}/event/{root}")).await;
    assert_eq!(event["content"]["body"], "root", "the content is left alone");
    // An edit of an edit is none.
    say(&world, &mut room, ALICE, edit(&good, "five")).await;
    assert_eq!(bundle(&world, &good).await, Value::Null);
    // An earlier time is no later edit; of the same time the larger id is.
    let later = say(&world, &mut room, ALICE, edit(&root, "six")).await;
    assert_eq!(bundle(&world, &root).await["m.replace"]["event_id"], json!(later));
    room.step = 0;
    say(&world, &mut room, ALICE, edit(&root, "seven")).await;
    assert_eq!(bundle(&world, &root).await["m.replace"]["event_id"], json!(later));
    room.redact(&world, &later, ALICE).await;
    assert_eq!(bundle(&world, &root).await["m.replace"]["event_id"], json!(good));
    room.redact(&world, &root, ALICE).await;
    assert_eq!(bundle(&world, &root).await, Value::Null);
}

#[tokio::test]
async fn references_are_listed_and_annotations_are_not() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    react(&world, &mut room, BOB, &root).await;
    assert_eq!(bundle(&world, &root).await, Value::Null);
    let one = say(&world, &mut room, BOB, related("m.reference", &root)).await;
    let two = say(&world, &mut room, BOB, related("m.reference", &root)).await;
    let expected = json!({"m.reference": {"chunk": [{"event_id": one}, {"event_id": two}]}});
    assert_eq!(bundle(&world, &root).await, expected);
    let name = room.add(&world, "m.room.name", Some(""), ALICE, json!({"name": "n"})).await;
    say(&world, &mut room, BOB, related("m.reference", &name)).await;
    assert_eq!(bundle(&world, &name).await, Value::Null, "state has none");
}

#[tokio::test]
async fn every_endpoint_shows_aggregations() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE]).await;
    let root = say(&world, &mut room, ALICE, text("root")).await;
    let middle = say(&world, &mut room, ALICE, related("m.reference", &root)).await;
    say(&world, &mut room, ALICE, related("m.reference", &middle)).await;
    let relations_of = |events: &Value, id: &str| {
        let event = events.as_array().unwrap().iter().find(|event| event["event_id"] == id).cloned().unwrap();
        event["unsigned"]["m.relations"]["m.reference"]["chunk"].as_array().map(Vec::len)
    };
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/messages?dir=b")).await;
    assert_eq!([&root, &middle].map(|id| relations_of(&page["chunk"], id)), [Some(1), Some(1)]);
    let (_, page) = world.get(&format!("{V3}/rooms/{ROOM}/context/{middle}")).await;
    assert_eq!(relations_of(&json!([page["event"]]), &middle), Some(1));
    assert_eq!(relations_of(&page["events_before"], &root), Some(1));
    assert_eq!(relations_of(&relations(&world, &root).await["chunk"], &middle), Some(1));
}

#[tokio::test]
async fn threads_are_in_the_order_of_their_latest_events() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let threads = async |query: &str| world.get(&format!("{V1}/rooms/{ROOM}/threads{query}")).await.1;
    assert_eq!(threads("").await, json!({"chunk": []}));
    let one = say(&world, &mut room, ALICE, text("one")).await;
    let two = say(&world, &mut room, BOB, text("two")).await;
    let three = say(&world, &mut room, BOB, text("three")).await;
    for root in [&one, &two, &three] {
        say(&world, &mut room, BOB, related("m.thread", root)).await;
    }
    assert_eq!(ids(&threads("").await["chunk"]), [&three, &two, &one]);
    let latest = say(&world, &mut room, BOB, related("m.thread", &one)).await;
    let page = threads("").await;
    assert_eq!(ids(&page["chunk"]), [&one, &three, &two]);
    let bundled = &page["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
    assert_eq!((&bundled["latest_event"]["event_id"], &bundled["count"]), (&json!(latest), &json!(2)));
    // Page by page: no thread twice, though the first has an older event behind the others.
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = threads(&format!("?limit=1{from}")).await;
        seen.extend(ids(&page["chunk"]).into_iter().map(str::to_owned));
        let Some(next) = page["next_batch"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(seen, [one.clone(), three.clone(), two.clone()]);
    assert_eq!(ids(&threads("?include=participated").await["chunk"]), [&one]);
    say(&world, &mut room, ALICE, related("m.thread", &two)).await;
    assert_eq!(ids(&threads("?include=participated").await["chunk"]), [&two, &one]);
    // A thread is as new as what is left of it.
    room.redact(&world, &latest, BOB).await;
    assert_eq!(ids(&threads("").await["chunk"]), [&two, &three, &one]);
    // What an ignored user began is shown as if redacted; what they say makes no thread newer, nor one.
    ignore(&world, BOB).await;
    let page = threads("").await;
    assert_eq!((ids(&page["chunk"]), &page["chunk"][0]["content"]), (vec![&*two], &json!({})));

    assert_error(&world.get(&format!("{V1}/rooms/{ROOM}/threads?limit=0")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{V1}/rooms/{ROOM}/threads?include=some")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{V1}/rooms/{ROOM}/threads?from=nonsense")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn relations_that_cannot_be_read_have_the_specified_error() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[BOB]).await;
    let root = say(&world, &mut room, BOB, text("root")).await;
    let get = async |rest: &str| world.get(&format!("{V1}/rooms/{ROOM}/relations/{rest}")).await;
    // Not a member.
    for rest in [root.clone(), format!("{root}/m.thread"), format!("{root}/m.thread/m.room.message")] {
        assert_error(&get(&rest).await, 404, "M_NOT_FOUND");
    }
    assert_error(&world.get(&format!("{V1}/rooms/{ROOM}/threads")).await, 403, "M_FORBIDDEN");
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "join"})).await;
    assert_eq!(get(&root).await.0.as_u16(), 200);
    assert_error(&get("$none").await, 404, "M_NOT_FOUND");
    for query in ["dir=x", "from=x", "to=x", "limit=x", "recurse=x"] {
        assert_error(&get(&format!("{root}?{query}")).await, 400, "M_INVALID_PARAM");
    }
}

#[tokio::test]
async fn what_a_reader_may_not_see_counts_for_nothing() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[BOB, ALICE]).await;
    let root = say(&world, &mut room, BOB, text("root")).await;
    let seen = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    room.add(&world, "m.room.history_visibility", Some(""), BOB, json!({"history_visibility": "joined"})).await;
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;
    let hidden = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    say(&world, &mut room, BOB, related("m.reference", &root)).await;
    let check = async |count: u64, latest: &str, listed: &[&str]| {
        let bundle = bundle(&world, &root).await;
        assert_eq!((&bundle["m.thread"]["count"], &bundle["m.reference"]), (&json!(count), &Value::Null));
        assert_eq!(bundle["m.thread"]["latest_event"]["event_id"], latest);
        assert_eq!(ids(&relations(&world, &root).await["chunk"]), listed);
        let (_, threads) = world.get(&format!("{V1}/rooms/{ROOM}/threads")).await;
        assert_eq!(ids(&threads["chunk"]), [&root]);
        assert!(!threads.to_string().contains(&format!("\"{hidden}\"")), "{threads}");
    };
    // Who has left.
    check(1, &seen, &[&seen]).await;
    // Who came back.
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "join"})).await;
    check(1, &seen, &[&seen]).await;
    let new = say(&world, &mut room, BOB, related("m.thread", &root)).await;
    check(2, &new, &[&new, &seen]).await;
}
