//! Pushers.

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Pusher, PusherChanged, user_entry::Kind},
    userserver::SetPusherRequest,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, World, answer, assert_error},
};

const PUSHERS: &str = "/_matrix/client/v3/pushers";
const SET: &str = "/_matrix/client/v3/pushers/set";

fn wish() -> Value {
    json!({
        "app_id": "org.example.app", "pushkey": "key", "kind": "http", "lang": "en", "app_display_name": "App",
        "device_display_name": "Phone", "profile_tag": "tag",
        "data": {"url": "https://push.example.org/_matrix/push/v1/notify", "format": "event_id_only", "mine": 1},
    })
}

fn without(field: &str) -> Value {
    let mut wish = wish();
    wish.as_object_mut().unwrap().remove(field);
    wish
}

fn asked(world: &World) -> Vec<SetPusherRequest> {
    let calls = world.fakes.take().into_iter();
    calls.map(|call| if let Call::SetPusher(request) = call { request } else { panic!("not a pusher") }).collect()
}

async fn set_by(world: &World, user: &str, pushkey: &str) {
    let pusher = Some(Pusher {
        kind: "http".to_owned(),
        app_display_name: "App".to_owned(),
        device_display_name: "Phone".to_owned(),
        lang: "en".to_owned(),
        data: wish()["data"].to_string().into(),
        ..Pusher::default()
    });
    let (app_id, pushkey) = ("org.example.app".to_owned(), pushkey.to_owned());
    world.user_entry(user, Kind::Pusher(PusherChanged { app_id, pushkey, pusher })).await;
}

#[tokio::test]
async fn they_are_listed_as_they_were_set() {
    let world = World::new().await;
    assert_eq!(world.get(PUSHERS).await, (StatusCode::OK, json!({"pushers": []})));
    set_by(&world, ALICE, "key").await;
    set_by(&world, "@bob:one.test", "key").await;
    let (_, body) = world.get(PUSHERS).await;
    assert_eq!(body, json!({"pushers": [without("profile_tag")]}));
}

#[tokio::test]
async fn setting_reaches_the_owner_and_removes_those_of_others() {
    let world = World::new().await;
    // The fake owner says that Alice's was set long ago: Bob's is newer and stays.
    set_by(&world, "@bob:one.test", "key").await;
    assert_eq!(world.post(SET, wish()).await, (StatusCode::OK, json!({})));
    let [request] = &asked(&world)[..] else { panic!("one command") };
    assert_eq!((request.caller.as_ref().unwrap().user_id.as_str(), request.app_id.as_str()), (ALICE, "org.example.app"));
    let pusher = request.pusher.as_ref().unwrap();
    assert_eq!((pusher.kind.as_str(), pusher.profile_tag.as_str(), pusher.lang.as_str()), ("http", "tag", "en"));
    assert_eq!(serde_json::from_slice::<Value>(&pusher.data).unwrap(), wish()["data"]);
    // Of those that are older it is another story, unless they are to stay.
    for user in ["@bob:one.test", "@zoe:two.test"] {
        set_by(&world, user, "late").await;
    }
    let mut late = wish();
    late["pushkey"] = json!("late");
    let mut beside = late.clone();
    beside["append"] = json!(true);
    world.post(SET, beside).await;
    assert_eq!(asked(&world).len(), 1);
    world.post(SET, late).await;
    let [_, other] = &asked(&world)[..] else { panic!("two commands: another server's users are none of ours") };
    assert_eq!((other.caller.as_ref().unwrap().user_id.as_str(), other.before), ("@bob:one.test", i64::MAX));
    assert!(other.pusher.is_none());
    world.post(SET, json!({"app_id": "a", "pushkey": "k", "kind": null})).await;
    let [request] = &asked(&world)[..] else { panic!("one command") };
    assert!(request.pusher.is_none() && request.before == 0);
}

#[tokio::test]
async fn refused() {
    let world = World::new().await;
    for field in ["app_id", "pushkey", "kind", "lang", "app_display_name", "device_display_name", "data"] {
        assert_error(&world.post(SET, without(field)).await, 400, "M_MISSING_PARAM");
    }
    for (field, value, code) in [
        ("kind", json!(7), "M_BAD_JSON"),
        ("pushkey", json!("x".repeat(513)), "M_INVALID_PARAM"),
        ("app_id", json!("x".repeat(65)), "M_INVALID_PARAM"),
        ("data", json!([]), "M_BAD_JSON"),
    ] {
        let mut wish = wish();
        wish[field] = value;
        assert_error(&world.post(SET, wish).await, 400, code);
    }
    assert!(world.fakes.take().is_empty());
    assert_error(&world.post_as(None, SET, wish()).await, 401, "M_MISSING_TOKEN");
    assert_error(&answer(world.request(http::Method::GET, PUSHERS, None)).await, 401, "M_MISSING_TOKEN");
    world.fakes.fail("SetPusher", ServiceError::too_large("too many"));
    assert_error(&world.post_as(Some(ALICE_TOKEN), SET, wish()).await, 413, "M_TOO_LARGE");
}
