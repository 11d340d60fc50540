use banyan_proto::users::{AccountDataChanged, FilterStored, ProfileChanged, user_entry::Kind};
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, GUEST, GUEST_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";

#[tokio::test]
async fn profiles_are_read_and_written() {
    let world = World::new().await;
    let change =
        ProfileChanged { field: "displayname".to_owned(), value: b"\"Alice\"".to_vec().into(), ..ProfileChanged::default() };
    world.user_entry(ALICE, Kind::Profile(change)).await;
    let profile = format!("{V3}/profile/{ALICE}");
    assert_eq!(world.get(&profile).await.1, json!({"displayname": "Alice"}));
    assert_eq!(world.get(&format!("{profile}/displayname")).await.1, json!({"displayname": "Alice"}));
    assert_error(&world.get(&format!("{profile}/avatar_url")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V3}/profile/@nobody:one.test")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V3}/profile/nonsense")).await, 400, "M_INVALID_PARAM");

    let (status, _) = world.put(&format!("{profile}/org.example.x"), json!({"org.example.x": {"a": 1}})).await;
    assert_eq!(status.as_u16(), 200);
    let Call::SetProfile(request) = world.fakes.only() else { panic!("not a profile") };
    assert_eq!((request.field.as_str(), &request.value[..]), ("org.example.x", &b"{\"a\":1}"[..]));
    assert_error(&world.put(&format!("{profile}/displayname"), json!({})).await, 400, "M_MISSING_PARAM");
    assert_error(&world.put(&format!("{V3}/profile/{GUEST}/displayname"), json!({"displayname": "x"})).await, 403, "M_FORBIDDEN");
    let avatar = world.request(Method::PUT, &format!("{V3}/profile/{GUEST}/avatar_url"), Some(GUEST_TOKEN));
    assert_error(&answer(avatar.body("{\"avatar_url\":\"mxc://x/y\"}")).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn a_name_that_changes_while_its_user_joins_reaches_the_room() {
    let world = World::new().await;
    Room::new(&world, &["@bob:one.test"]).await;
    let path = format!("{V3}/rooms/{ROOM}/join");
    world.post(&path, json!({})).await;
    assert!(matches!(world.fakes.only(), Call::ChangeMembership(_)), "who has the same name as before is not told of");

    let go_on = world.fakes.hold_membership();
    let meanwhile = async {
        let mut calls = Vec::new();
        while calls.is_empty() {
            calls = world.fakes.take();
            tokio::task::yield_now().await;
        }
        let value = b"\"New\"".to_vec().into();
        let change = ProfileChanged { field: "displayname".to_owned(), value, ..ProfileChanged::default() };
        world.user_entry(ALICE, Kind::Profile(change)).await;
        go_on.send(()).unwrap();
    };
    let both = async { tokio::join!(world.post(&path, json!({})), meanwhile) };
    tokio::time::timeout(std::time::Duration::from_secs(20), both).await.unwrap();
    let Call::SpreadProfile(request) = world.fakes.only() else { panic!("the room keeps the old name") };
    assert_eq!((request.user_id.as_str(), request.room_id.as_str()), (ALICE, ROOM));
}

#[tokio::test]
async fn account_data_is_the_users_own() {
    let world = World::new().await;
    let change = AccountDataChanged { room_id: String::new(), r#type: "m.x".to_owned(), content: b"{\"a\":1}".to_vec().into() };
    world.user_entry(ALICE, Kind::AccountData(change)).await;
    let path = |kind: &str| format!("{V3}/user/{ALICE}/account_data/{kind}");
    assert_eq!(world.get(&path("m.x")).await.1, json!({"a": 1}));
    assert_error(&world.get(&path("m.y")).await, 404, "M_NOT_FOUND");
    assert!(world.get(&path("m.push_rules")).await.1["global"]["override"].is_array());
    assert_error(&world.get(&format!("{V3}/user/{GUEST}/account_data/m.x")).await, 403, "M_FORBIDDEN");
    assert_error(&world.put(&path("m.push_rules"), json!({})).await, 405, "M_BAD_JSON");
    assert_error(&world.put(&path("m.fully_read"), json!({})).await, 405, "M_BAD_JSON");
    assert_eq!(world.put(&path("m.y"), json!({"b": 2})).await.0.as_u16(), 200);
    let Call::SetAccountData(request) = world.fakes.only() else { panic!("not account data") };
    assert_eq!((request.r#type.as_str(), request.room_id.as_str(), &request.content[..]), ("m.y", "", &b"{\"b\":2}"[..]));
    assert_eq!(world.put(&format!("{V3}/user/{ALICE}/rooms/!r:one.test/account_data/m.tag"), json!({})).await.0.as_u16(), 200);
    let Call::SetAccountData(request) = world.fakes.only() else { panic!("not account data") };
    assert_eq!(request.room_id, "!r:one.test");
    assert_error(&world.get(&format!("{V3}/user/{ALICE}/rooms/nonsense/account_data/m.tag")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn filters_are_stored_and_read() {
    let world = World::new().await;
    let (_, body) = world.post(&format!("{V3}/user/{ALICE}/filter"), json!({"room": {}})).await;
    assert_eq!(body, json!({"filter_id": "f1"}));
    assert!(matches!(world.fakes.only(), Call::PutFilter(request) if &request.filter[..] == b"{\"room\":{}}"));
    let filter = FilterStored { filter_id: "f1".to_owned(), filter: b"{\"room\":{}}".to_vec().into() };
    world.user_entry(ALICE, Kind::Filter(filter)).await;
    assert_eq!(world.get(&format!("{V3}/user/{ALICE}/filter/f1")).await.1, json!({"room": {}}));
    assert_error(&world.get(&format!("{V3}/user/{ALICE}/filter/f2")).await, 404, "M_NOT_FOUND");
    assert_error(&world.post(&format!("{V3}/user/{GUEST}/filter"), json!({})).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn push_rules_are_read_in_every_form() {
    let world = World::new().await;
    let (_, all) = world.get(&format!("{V3}/pushrules/")).await;
    assert!(all["global"]["override"].is_array(), "{all}");
    assert_eq!(world.get(&format!("{V3}/pushrules")).await.1, all);
    assert_eq!(world.get(&format!("{V3}/pushrules/global/")).await.1, all["global"]);
    let rule = format!("{V3}/pushrules/global/override/.m.rule.master");
    assert_eq!(world.get(&rule).await.1["rule_id"], ".m.rule.master");
    assert_eq!(world.get(&format!("{rule}/enabled")).await.1, json!({"enabled": false}));
    assert_eq!(world.get(&format!("{rule}/actions")).await.1, json!({"actions": []}));
    assert_error(&world.get(&format!("{V3}/pushrules/global/override/none")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V3}/pushrules/global/nonsense/none")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn what_the_server_can_do_is_told() {
    let world = World::new().await;
    let (_, body) = answer(world.request(Method::GET, "/_matrix/client/versions", None)).await;
    assert!(body["versions"].as_array().unwrap().contains(&json!("v1.19")));
    let features = json!({
        "org.matrix.simplified_msc3575": true,
        "uk.half-shot.msc2666.query_mutual_rooms": true,
        "org.matrix.msc3814": true,
        "org.matrix.msc4140": true,
    });
    assert_eq!(body["unstable_features"], features);
    let (_, body) = world.get(&format!("{V3}/capabilities")).await;
    assert_eq!(body["capabilities"]["m.room_versions"]["default"], "12");
    let delayed = json!({"max_delay_ms": 86_400_000, "max_scheduled": 100});
    assert_eq!(body["capabilities"]["org.matrix.msc4140.delayed_events"], delayed);
    let (_, body) = answer(world.request(Method::GET, "/.well-known/matrix/client", None)).await;
    assert_eq!(body, json!({"m.homeserver": {"base_url": "https://one.test"}}));
    assert_error(&answer(world.request(Method::GET, "/.well-known/matrix/support", None)).await, 404, "M_NOT_FOUND");
    let (_, body) = answer(world.request(Method::GET, &format!("{V3}/login"), None)).await;
    let kinds: Vec<_> = body["flows"].as_array().unwrap().iter().map(|flow| flow["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["m.login.password", "m.login.token", "m.login.sso"]);
    assert_eq!(world.get(&format!("{V3}/voip/turnServer")).await.1["uris"], json!([]));
}
