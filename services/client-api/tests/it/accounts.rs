//! Accounts that end, are locked or suspended, and who may know and do that.

use std::time::Duration;

use banyan_client_api::ClientApiConfig;
use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::change_membership_request::Action,
    users::{Account, Departure, DepartureChanged, Device, DeviceChanged, user_entry::Kind},
    userserver::moderate_account_request::Change,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";
const BOB: &str = "@bob:one.test";
const ADMIN: &str = "@admin:one.test";

/// A world with an administrator, whose token is `admin`.
async fn administrated() -> World {
    let world = World::new().await;
    world.add_user(ADMIN, "admin", banyan_proto::users::account::Kind::User).await;
    world.user_entry(ADMIN, Kind::Account(Account { admin: true, ..Account::default() })).await;
    world
}

async fn set(world: &World, account: Account) {
    world.user_entry(ALICE, Kind::Account(account)).await;
}

/// Asks until the answer is this one: this process hears of it from the log.
async fn until_error(world: &World, path: &str, errcode: &str) -> Value {
    let asked = async {
        loop {
            let (_, body) = world.get(path).await;
            if body["errcode"] == errcode {
                return body;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap()
}

/// The calls until one is seen that `last` takes for the last.
async fn calls_until(world: &World, last: impl Fn(&Call) -> bool) -> Vec<Call> {
    let mut calls = Vec::new();
    let collected = async {
        while !calls.last().is_some_and(&last) {
            calls.extend(world.fakes.take());
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), collected).await.unwrap();
    calls
}

#[tokio::test]
async fn a_deactivated_user_leaves_their_rooms() {
    let world = World::new().await;
    Room::new(&world, &[ALICE, BOB]).await;
    let (status, challenge) = world.post(DEACTIVATE, json!({"erase": true})).await;
    assert_eq!(status.as_u16(), 401);
    let auth = json!({"type": "m.login.password", "user": "alice", "password": "p", "session": challenge["session"]});
    let (status, body) = world.post(DEACTIVATE, json!({"erase": true, "auth": auth})).await;
    assert_eq!((status.as_u16(), body), (200, json!({"id_server_unbind_result": "success"})));
    let calls = calls_until(&world, |call| matches!(call, Call::FinishDeparture(_))).await;
    let [Call::CheckPassword(_), Call::Deactivate(ended), Call::ChangeMembership(left), Call::FinishDeparture(done)] = &calls[..]
    else {
        panic!("{calls:?}")
    };
    assert!(ended.erase && ended.caller.as_ref().unwrap().user_id == ALICE);
    assert_eq!((left.room_id.as_str(), left.target.as_str(), left.action()), (ROOM, ALICE, Action::Leave));
    assert_eq!(done.caller.as_ref().unwrap().user_id, ALICE);
    assert_error(&world.post_as(Some(GUEST_TOKEN), DEACTIVATE, json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert_error(&world.post(DEACTIVATE, json!({"erase": 1})).await, 400, "M_BAD_JSON");
}

#[tokio::test]
async fn what_another_process_left_half_done_is_gone_on_with() {
    let config = ClientApiConfig { resume_interval_ms: 5, ..ClientApiConfig::default() };
    let world = World::with(vec![open_tenant("one.test")], config).await;
    Room::new(&world, &[ALICE, BOB]).await;
    let departure = Departure { tenant: "one.test".to_owned(), since: 0 };
    world.user_entry(ALICE, Kind::Departure(DepartureChanged { departure: Some(departure) })).await;
    let calls = calls_until(&world, |call| matches!(call, Call::FinishDeparture(_))).await;
    assert!(matches!(&calls[0], Call::ChangeMembership(left) if left.room_id == ROOM && left.target == ALICE), "{calls:?}");
    // While rooms cannot be left it is not said that they are.
    world.fakes.fail("ChangeMembership", ServiceError::unavailable("away"));
    calls_until(&world, |call| matches!(call, Call::ChangeMembership(_))).await;
    world.user_entry(ALICE, Kind::Departure(DepartureChanged { departure: None })).await;
}

#[tokio::test]
async fn a_locked_user_may_only_log_out() {
    let world = World::new().await;
    let whoami = "/_matrix/client/v3/account/whoami";
    assert_eq!(world.get(whoami).await.0.as_u16(), 200);
    set(&world, Account { locked: true, ..Account::default() }).await;
    let body = until_error(&world, whoami, "M_USER_LOCKED").await;
    assert_eq!(body["soft_logout"], true);
    for path in ["/_matrix/client/v3/sync", "/_matrix/client/v3/capabilities"] {
        assert_error(&world.get(path).await, 401, "M_USER_LOCKED");
    }
    for path in ["/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"] {
        assert_eq!(world.post(path, json!({})).await.0.as_u16(), 200);
    }
    set(&world, Account::default()).await;
    assert_eq!(world.get(whoami).await.0.as_u16(), 200, "lifted");
    set(&world, Account { deactivated: true, ..Account::default() }).await;
    until_error(&world, whoami, "M_UNKNOWN_TOKEN").await;
}

#[tokio::test]
async fn a_suspended_user_does_nothing_that_others_notice() {
    let world = World::new().await;
    let mut room = Room::new(&world, &[ALICE, BOB]).await;
    let own = room.add(&world, "m.room.message", None, ALICE, json!({})).await;
    let other = room.add(&world, "m.room.message", None, BOB, json!({})).await;
    set(&world, Account { suspended: true, ..Account::default() }).await;
    let rooms = format!("/_matrix/client/v3/rooms/{ROOM}");
    let put = |path: &str, body: Value| answer(world.request(Method::PUT, path, Some(ALICE_TOKEN)).body(body.to_string()));
    let send = format!("{rooms}/send/m.room.message/1");
    let sent = async { while put(&send, json!({})).await.0.as_u16() != 403 {} };
    tokio::time::timeout(Duration::from_secs(20), sent).await.unwrap();
    world.fakes.take();
    assert_error(&put(&send, json!({})).await, 403, "M_USER_SUSPENDED");
    assert_error(&put(&format!("{rooms}/state/m.room.name/"), json!({"name": "x"})).await, 403, "M_USER_SUSPENDED");
    let name = format!("/_matrix/client/v3/profile/{ALICE}/displayname");
    assert_error(&put(&name, json!({"displayname": "x"})).await, 403, "M_USER_SUSPENDED");
    assert_error(&put(&format!("{rooms}/redact/{other}/1"), json!({})).await, 403, "M_USER_SUSPENDED");
    let by_message = format!("{rooms}/send/m.room.redaction/2");
    assert_error(&put(&by_message, json!({ "redacts": other })).await, 403, "M_USER_SUSPENDED");
    for path in [format!("/_matrix/client/v3/join/{ROOM}"), format!("{rooms}/join"), "/_matrix/client/v3/createRoom".to_owned()] {
        assert_error(&world.post(&path, json!({})).await, 403, "M_USER_SUSPENDED");
    }
    assert_error(&world.post(&format!("{rooms}/invite"), json!({"user_id": BOB})).await, 403, "M_USER_SUSPENDED");
    assert!(world.fakes.take().is_empty(), "nothing of this may reach an owner");

    assert_eq!(put(&format!("{rooms}/redact/{own}/1"), json!({})).await.0.as_u16(), 200);
    assert_eq!(put(&by_message, json!({ "redacts": own })).await.0.as_u16(), 200);
    assert_eq!(world.post(&format!("{rooms}/leave"), json!({})).await.0.as_u16(), 200);
    assert_eq!(world.get("/_matrix/client/v3/account/whoami").await.0.as_u16(), 200);
    set(&world, Account::default()).await;
    assert_eq!(put(&send, json!({})).await.0.as_u16(), 200, "lifted");
}

#[tokio::test]
async fn administrators_lock_and_suspend() {
    let world = administrated().await;
    for (name, member) in [("lock", "locked"), ("suspend", "suspended")] {
        let path = format!("/_matrix/client/v1/admin/{name}/{ALICE}");
        let ask = || answer(world.request(Method::GET, &path, Some("admin")));
        assert_eq!(ask().await.1, json!({ member: false }));
        let wish = json!({ member: true });
        let (status, body) = answer(world.request(Method::PUT, &path, Some("admin")).body(wish.to_string())).await;
        assert_eq!((status.as_u16(), body), (200, wish));
        let Call::ModerateAccount(request) = world.fakes.only() else { panic!("not a moderation") };
        let expected = if name == "lock" { Change::Locked(true) } else { Change::Suspended(true) };
        assert_eq!((request.caller.unwrap().user_id.as_str(), request.change), (ALICE, Some(expected)));
    }
    set(&world, Account { suspended: true, ..Account::default() }).await;
    let path = format!("/_matrix/client/v1/admin/suspend/{ALICE}");
    assert_eq!(answer(world.request(Method::GET, &path, Some("admin"))).await.1, json!({"suspended": true}));
    let of = async |token| answer(world.request(Method::GET, "/_matrix/client/v3/capabilities", Some(token))).await.1;
    assert_eq!(of("admin").await["capabilities"]["m.account_moderation"], json!({"lock": true, "suspend": true}));
    world.add_user(BOB, "bob", banyan_proto::users::account::Kind::User).await;
    assert!(of("bob").await["capabilities"].get("m.account_moderation").is_none());
}

#[tokio::test]
async fn moderation_has_the_specified_errors() {
    let world = administrated().await;
    world.user_entry("@gone:one.test", Kind::Account(Account { deactivated: true, ..Account::default() })).await;
    world.user_entry("@chief:one.test", Kind::Account(Account { admin: true, ..Account::default() })).await;
    for name in ["lock", "suspend"] {
        let body = format!("{{\"{name}ed\":true}}");
        for (token, user_id, status, errcode) in [
            (ALICE_TOKEN, "@nobody:one.test", 403, "M_FORBIDDEN"),
            (GUEST_TOKEN, ALICE, 403, "M_GUEST_ACCESS_FORBIDDEN"),
            ("admin", "@alice:two.test", 400, "M_INVALID_PARAM"),
            ("admin", "nonsense", 400, "M_INVALID_PARAM"),
            ("admin", "@nobody:one.test", 404, "M_NOT_FOUND"),
            ("admin", "@gone:one.test", 404, "M_NOT_FOUND"),
            ("admin", "@chief:one.test", 403, "M_FORBIDDEN"),
        ] {
            let path = format!("/_matrix/client/v1/admin/{name}/{user_id}");
            assert_error(&answer(world.request(Method::GET, &path, Some(token))).await, status, errcode);
            assert_error(&answer(world.request(Method::PUT, &path, Some(token)).body(body.clone())).await, status, errcode);
        }
        let own = format!("/_matrix/client/v1/admin/{name}/{ADMIN}");
        assert_eq!(answer(world.request(Method::GET, &own, Some("admin"))).await.0.as_u16(), 200);
        assert_error(&answer(world.request(Method::PUT, &own, Some("admin")).body(body)).await, 403, "M_FORBIDDEN");
        assert_error(&answer(world.request(Method::PUT, &own, Some("admin")).body("{}")).await, 400, "M_BAD_JSON");
    }
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn whois_is_for_oneself_and_administrators() {
    let world = administrated().await;
    let device = Device { last_seen: 7_000_000, last_seen_ip: "192.0.2.7".to_owned(), ..Device::default() };
    world.user_entry(ALICE, Kind::Device(DeviceChanged { device_id: "DEV".to_owned(), device: Some(device) })).await;
    let path = |user_id: &str| format!("/_matrix/client/v3/admin/whois/{user_id}");
    let expected =
        json!({"user_id": ALICE, "devices": {"DEV": {"sessions": [{"connections": [{"ip": "192.0.2.7", "last_seen": 7000}]}]}}});
    for token in [ALICE_TOKEN, "admin"] {
        let (status, body) = answer(world.request(Method::GET, &path(ALICE), Some(token))).await;
        assert_eq!((status.as_u16(), &body), (200, &expected));
    }
    assert_error(&world.get(&path(ADMIN)).await, 403, "M_FORBIDDEN");
    assert_error(&answer(world.request(Method::GET, &path("@no:one.test"), Some("admin"))).await, 404, "M_NOT_FOUND");
    assert_error(&answer(world.request(Method::GET, &path("@a:two.test"), Some("admin"))).await, 403, "M_FORBIDDEN");
}
