//! Events that are sent later (MSC4140).

use banyan_client_api::ClientApiConfig;
use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{DelayedEvent, DelayedEventChanged, DelayedEventScheduled, DelayedStanding, DelayedState, account, user_entry::Kind},
    userserver::{ScheduleEventRequest, update_delayed_event_request::Action},
};
use banyan_users::delayed_events;
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const ROOM: &str = "/_matrix/client/v3/rooms/!r:one.test";
const UNSTABLE: &str = "/_matrix/client/unstable/org.matrix.msc4140";
const DELAY: &str = "org.matrix.msc4140.delay";

fn scheduled(world: &World) -> ScheduleEventRequest {
    match world.fakes.only() {
        Call::ScheduleEvent(request) => request,
        call => panic!("not an event to be scheduled: {call:?}"),
    }
}

/// Has Alice schedule an event, as the owner would note it.
async fn schedule(world: &World, delay_id: &str, kind: &str, standing: DelayedStanding) {
    let event = DelayedEvent {
        user_id: ALICE.to_owned(),
        room_id: "!r:one.test".to_owned(),
        r#type: kind.to_owned(),
        state_key: (kind == "m.state").then(String::new),
        content: b"{\"a\":1}".to_vec().into(),
        ..DelayedEvent::default()
    };
    let (event, standing) = (Some(event), Some(standing));
    let entry = DelayedEventScheduled { delay_id: delay_id.to_owned(), event, standing };
    world.user_entry(ALICE, Kind::DelayedEventScheduled(entry)).await;
}

fn now(world: &World) -> i64 {
    world.context.clock.now().as_millis()
}

fn ids(body: &Value) -> Vec<&str> {
    body["delayed_events"].as_array().unwrap().iter().map(|event| event["delay_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_are_scheduled_by_every_endpoint_that_sends() {
    let world = World::new().await;
    let later = json!({"delay_id": "later"});
    let sent = world.put(&format!("{ROOM}/send/m.x/t1?{DELAY}=1500"), json!({"a": 1})).await;
    assert_eq!((sent.0.as_u16(), &sent.1), (200, &later));
    let request = scheduled(&world);
    assert_eq!((request.r#type.as_str(), request.state_key, request.delay), ("m.x", None, 1500));
    assert_eq!((&request.content[..], request.transaction.len()), (&b"{\"a\":1}"[..], 16));
    let of_send = request.transaction;
    let set = world.put(&format!("{ROOM}/state/m.x/k?{DELAY}=1"), json!({})).await;
    assert_eq!((set.0.as_u16(), &set.1), (200, &later));
    let request = scheduled(&world);
    assert_eq!((request.state_key.as_deref(), request.transaction.len()), (Some("k"), 0));
    let body = json!({"delay": 7, "state_key": "", "content": {"b": 2}});
    let own = world.put(&format!("{UNSTABLE}/rooms/!r:one.test/delayed_event/m.x/t1"), body).await;
    assert_eq!((own.0.as_u16(), &own.1), (200, &later));
    let request = scheduled(&world);
    assert_eq!((request.state_key.as_deref(), request.delay, &request.content[..]), (Some(""), 7, &b"{\"b\":2}"[..]));
    assert_eq!(request.transaction, of_send, "the transaction ids of a room and type are one set");
    let redaction = world.put(&format!("{ROOM}/send/m.room.redaction/t2?{DELAY}=5"), json!({"redacts": "$e"})).await;
    assert_eq!(redaction.0.as_u16(), 200);
    assert_eq!(scheduled(&world).redacts, "$e");
    let guest = world.request(Method::PUT, &format!("{ROOM}/send/m.x/t1?{DELAY}=1"), Some(GUEST_TOKEN)).body("{}");
    assert_eq!(answer(guest).await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::ScheduleEvent(request) if request.transaction == of_send));
}

#[tokio::test]
async fn delays_that_are_none_or_too_long_are_refused() {
    let world = World::new().await;
    for delay in ["0", "-1", "x", ""] {
        let sent = world.put(&format!("{ROOM}/send/m.x/t1?{DELAY}={delay}"), json!({})).await;
        assert_error(&sent, 400, "M_INVALID_PARAM");
    }
    let own = format!("{UNSTABLE}/rooms/!r:one.test/delayed_event/m.x/t1");
    assert_error(&world.put(&own, json!({"delay": 0, "content": {}})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.put(&own, json!({"content": {}})).await, 400, "M_BAD_JSON");
    assert_error(&world.put(&own, json!({"delay": 5, "content": 1})).await, 400, "M_BAD_JSON");
    let long = world.put(&format!("{ROOM}/state/m.x/?{DELAY}=86400001"), json!({})).await;
    assert_error(&long, 400, "M_UNKNOWN");
    let told = (&long.1["org.matrix.msc4140.errcode"], &long.1["org.matrix.msc4140.max_delay"]);
    assert_eq!(told, (&json!("M_MAX_DELAY_EXCEEDED"), &json!(86_400_000)));
    assert_error(&world.put(&format!("{ROOM}/send/m.room.redaction/t?{DELAY}=5"), json!({})).await, 400, "M_BAD_JSON");
    assert!(world.fakes.take().is_empty());
    let wait = std::time::Duration::from_millis(1500);
    world.fakes.fail("ScheduleEvent", ServiceError::limit_exceeded("too many", wait));
    let many = world.request(Method::PUT, &format!("{ROOM}/send/m.x/t1?{DELAY}=5"), Some(ALICE_TOKEN)).body("{}");
    let many = many.send().await.unwrap();
    assert_eq!((many.status().as_u16(), many.headers()["retry-after"].to_str().unwrap()), (429, "2"));
}

#[tokio::test]
async fn a_tenant_may_have_none() {
    let mut tenant = open_tenant("one.test");
    tenant.delayed_events.max_scheduled = 0;
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    assert_error(&world.put(&format!("{ROOM}/send/m.x/t1?{DELAY}=5"), json!({})).await, 403, "M_FORBIDDEN");
    let (_, versions) = world.get("/_matrix/client/versions").await;
    assert_eq!(versions["unstable_features"]["org.matrix.msc4140"], false);
    let (_, body) = world.get("/_matrix/client/v3/capabilities").await;
    assert!(body["capabilities"].get("org.matrix.msc4140.delayed_events").is_none());
}

#[tokio::test]
async fn a_repeated_transaction_needs_no_body() {
    let world = World::new().await;
    let transaction = delayed_events::transaction("DEV", "send !r:one.test m.x", "t1");
    schedule(&world, "d1", "m.x", DelayedStanding { transaction, ..DelayedStanding::default() }).await;
    let path = |txn: &str| format!("{ROOM}/send/m.x/{txn}?{DELAY}=5");
    let again = answer(world.request(Method::PUT, &path("t1"), Some(ALICE_TOKEN))).await;
    assert_eq!((again.0.as_u16(), again.1), (200, json!({"delay_id": "d1"})));
    assert_error(&answer(world.request(Method::PUT, &path("t2"), Some(ALICE_TOKEN))).await, 400, "M_NOT_JSON");
}

#[tokio::test]
async fn whoever_knows_the_id_decides() {
    let world = World::new().await;
    schedule(&world, "d1", "m.x", DelayedStanding::default()).await;
    let path = |rest: &str| format!("{UNSTABLE}/delayed_events/{rest}");
    let ask = async |rest: &str, body: &'static str| answer(world.request(Method::POST, &path(rest), None).body(body)).await;
    for (name, action) in [("cancel", Action::Cancel), ("restart", Action::Restart), ("send", Action::Send)] {
        assert_eq!(ask(&format!("d1/{name}"), "").await, (http::StatusCode::OK, json!({})));
        let Call::UpdateDelayedEvent(request) = world.fakes.only() else { panic!("another call") };
        let caller = request.caller.clone().unwrap();
        assert_eq!((request.action(), caller.user_id.as_str()), (action, ALICE));
        let body = json!({"action": name}).to_string();
        assert_eq!(answer(world.request(Method::POST, &path("d1"), None).body(body)).await.0.as_u16(), 200);
        assert!(matches!(world.fakes.only(), Call::UpdateDelayedEvent(again) if again.action() == action));
        assert_error(&ask(&format!("abc/{name}"), "{}").await, 404, "M_NOT_FOUND");
        let elsewhere = reqwest::Client::new()
            .post(format!("http://{}{}", world.address, path(&format!("d1/{name}"))))
            .header("host", "two.test");
        assert_error(&answer(elsewhere).await, 404, "M_NOT_FOUND");
    }
    assert_error(&ask("d1/oops", "{}").await, 404, "M_UNRECOGNIZED");
    assert_error(&ask("d1", "{}").await, 400, "M_MISSING_PARAM");
    assert_error(&ask("d1", "{\"action\":\"oops\"}").await, 400, "M_INVALID_PARAM");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("UpdateDelayedEvent", ServiceError::matrix(ErrorCode::Conflict, "M_UNKNOWN", "It has been sent"));
    assert_error(&ask("d1/cancel", "").await, 409, "M_UNKNOWN");
}

#[tokio::test]
async fn a_user_sees_their_own() {
    let world = World::new().await;
    world.add_user("@bob:one.test", "bob", account::Kind::User).await;
    let now = now(&world);
    let waits = |delay| DelayedStanding { delay, running_since: now, ..DelayedStanding::default() };
    schedule(&world, "d1", "m.x", waits(9_000)).await;
    schedule(&world, "d2", "m.state", waits(5_000)).await;
    schedule(&world, "d3", "m.x", waits(100)).await;
    let end = DelayedStanding {
        state: DelayedState::Sent.into(),
        event_id: "$e".to_owned(),
        by_action: true,
        finalised: now + 1,
        ..waits(100)
    };
    let changed = DelayedEventChanged { delay_id: "d3".to_owned(), standing: Some(end) };
    world.user_entry(ALICE, Kind::DelayedEventChanged(changed)).await;
    let list = format!("{UNSTABLE}/delayed_events");
    let (_, all) = world.get(&list).await;
    let expected = json!({"delay_id": "d2", "room_id": "!r:one.test", "type": "m.state", "state_key": "", "delay": 5_000,
        "running_since": now, "delay_ms": 5_000, "delayed_since_ts": now, "content": {"a": 1}});
    assert_eq!((ids(&all), &all["delayed_events"][0]), (vec!["d2", "d1"], &expected));
    for (query, found) in [
        ("dir=b", vec!["d1", "d2"]),
        ("status=finalised", vec!["d3"]),
        ("outcome=send&reason=action", vec!["d3"]),
        ("outcome=cancel", vec![]),
        ("reason=delay", vec![]),
        ("status=scheduled&type=m.x", vec!["d1"]),
        ("room_id=!other:one.test", vec![]),
        ("order_by=running_since", vec!["d1", "d2"]),
        (&format!("since_ts={}", now + 6_000), vec!["d1"]),
        (&format!("dir=b&since_ts={}", now + 6_000), vec!["d2"]),
        ("dir=b&since_ts=end", vec!["d1", "d2"]),
    ] {
        assert_eq!(ids(&world.get(&format!("{list}?{query}")).await.1), found, "{query}");
    }
    for query in ["status=x", "dir=x", "outcome=x", "reason=x", "order_by=x", "since_ts=x", "from=x"] {
        assert_error(&world.get(&format!("{list}?{query}")).await, 400, "M_INVALID_PARAM");
    }
    let (_, one) = world.get(&format!("{list}/d3")).await;
    assert_eq!((&one["event_id"], &one["origin_server_ts"]), (&json!("$e"), &json!(now + 1)));
    assert_eq!(one["finalised"], json!({"finalised_ts": now + 1, "event_id": "$e"}));
    assert_error(&world.get(&format!("{list}/none")).await, 404, "M_NOT_FOUND");
    let of_bob = async |path: &str| answer(world.request(Method::GET, path, Some("bob"))).await;
    assert_eq!(of_bob(&list).await.1, json!({"delayed_events": []}));
    assert_error(&of_bob(&format!("{list}/d1")).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let world = World::new().await;
    let now = now(&world);
    for n in 0..105 {
        let standing = DelayedStanding { delay: 1_000 + n, running_since: now, ..DelayedStanding::default() };
        schedule(&world, &format!("d{n:03}"), "m.x", standing).await;
    }
    let list = format!("{UNSTABLE}/delayed_events");
    for (dir, token) in [("f", "next_batch"), ("b", "prev_batch")] {
        let (_, first) = world.get(&format!("{list}?dir={dir}")).await;
        let from = first[token].as_str().unwrap();
        let (_, rest) = world.get(&format!("{list}?dir={dir}&from={from}")).await;
        assert_eq!((ids(&first).len(), ids(&rest).len(), rest.get(token)), (100, 5, None));
        let last = if dir == "f" { "d104" } else { "d000" };
        assert_eq!(ids(&rest)[4], last);
    }
}
