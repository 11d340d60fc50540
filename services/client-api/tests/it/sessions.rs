use banyan_client_api::ClientApiConfig;
use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{AccessTokensRevoked, account, user_entry::Kind},
    userserver::use_registration_token_request::Step,
};
use banyan_tenants::TenantConfig;
use banyan_users::TokenHash;
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const LOGIN: &str = "/_matrix/client/v3/login";
const REGISTER: &str = "/_matrix/client/v3/register";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

#[tokio::test]
async fn a_password_login_reaches_the_owner() {
    let world = World::new().await;
    for body in [
        json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "p", "device_id": "D"}),
        json!({"type": "m.login.password", "user": "@alice:one.test", "password": "p", "device_id": "D"}),
    ] {
        let (status, body) = world.post_as(None, LOGIN, body).await;
        assert_eq!(status.as_u16(), 200, "{body}");
        assert_eq!((&body["user_id"], &body["device_id"]), (&json!(ALICE), &json!("D")));
        assert_eq!(body["access_token"], "byn_made");
        assert_eq!(body["well_known"]["m.homeserver"]["base_url"], "https://one.test");
        let Call::Login(request) = world.fakes.only() else { panic!("not a login") };
        assert_eq!((request.password.as_str(), request.remote_addr.as_str()), ("p", "127.0.0.1"));
        assert_eq!(request.caller.unwrap().user_id, ALICE);
    }
}

#[tokio::test]
async fn a_login_that_cannot_be_has_the_specified_error() {
    let world = World::new().await;
    for (body, status, errcode) in [
        (json!({"type": "m.login.nonsense"}), 400, "M_UNKNOWN"),
        (json!({"type": "m.login.password", "identifier": {"type": "m.id.other"}, "password": "p"}), 400, "M_UNKNOWN"),
        (json!({"type": "m.login.password", "password": "p"}), 400, "M_BAD_JSON"),
        (json!({"type": "m.login.password", "user": "alice"}), 400, "M_BAD_JSON"),
        (json!({}), 400, "M_BAD_JSON"),
        (json!({"type": "m.login.password", "user": "@alice:elsewhere", "password": "p"}), 403, "M_FORBIDDEN"),
    ] {
        assert_error(&world.post_as(None, LOGIN, body).await, status, errcode);
    }
    world.fakes.fail("Login", ServiceError::matrix(ErrorCode::Forbidden, "M_USER_DEACTIVATED", "gone"));
    let body = json!({"type": "m.login.password", "user": "alice", "password": "p"});
    assert_error(&world.post_as(None, LOGIN, body).await, 403, "M_USER_DEACTIVATED");
}

#[tokio::test]
async fn one_step_registration_with_the_dummy_stage() {
    let world = World::new().await;
    let body = json!({"auth": {"type": "m.login.dummy"}, "username": "Bob", "password": "p", "device_id": "B"});
    let (status, answer) = world.post_as(None, REGISTER, body).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    assert_eq!((&answer["user_id"], &answer["device_id"]), (&json!("@bob:one.test"), &json!("B")));
    let Call::Register(request) = world.fakes.only() else { panic!("not a registration") };
    assert!(!request.guest && !request.admin);
    let body = json!({"auth": {"type": "m.login.dummy"}, "username": "bob", "password": "p", "inhibit_login": true});
    let (_, answer) = world.post_as(None, REGISTER, body).await;
    assert!(answer.get("access_token").is_none() && answer.get("device_id").is_none(), "{answer}");
}

#[tokio::test]
async fn registration_in_steps_is_bound_to_its_parameters() {
    let world = World::new().await;
    let wish = json!({"username": "bob", "password": "p"});
    let (status, challenge) = world.post_as(None, REGISTER, wish.clone()).await;
    assert_eq!(status.as_u16(), 401);
    let flows = challenge["flows"].as_array().unwrap();
    assert!(
        flows.contains(&json!({"stages": ["m.login.dummy"]})) && flows.contains(&json!({"stages": ["m.login.registration_token"]}))
    );
    assert!(world.fakes.take().is_empty());

    let with = |auth: Value| {
        let mut body = wish.clone();
        body["auth"] = auth;
        body
    };
    let session = &challenge["session"];
    let wrong = with(json!({"type": "m.login.registration_token", "token": "nonsense", "session": session}));
    let (status, refused) = world.post_as(None, REGISTER, wrong).await;
    assert_eq!((status.as_u16(), &refused["errcode"]), (401, &json!("M_UNAUTHORIZED")));
    assert_eq!(&refused["session"], session);

    let right = with(json!({"type": "m.login.registration_token", "token": "welcome", "session": session}));
    let (status, body) = world.post_as(None, REGISTER, right.clone()).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let calls = world.fakes.take();
    let steps: Vec<_> =
        calls.iter().filter_map(|call| if let Call::UseRegistrationToken(step) = call { Some(step) } else { None }).collect();
    assert_eq!(steps.iter().map(|step| step.step()).collect::<Vec<_>>(), [Step::Hold, Step::Complete]);
    // The owner takes two commands of one id for one.
    assert_ne!(steps[0].caller.as_ref().unwrap().request_id, steps[1].caller.as_ref().unwrap().request_id);
    assert!(matches!(calls[1], Call::Register(_)));
}

#[tokio::test]
async fn a_failed_registration_can_be_repeated_under_the_same_request_id() {
    let world = World::new().await;
    let (_, challenge) = world.post_as(None, REGISTER, json!({"username": "carol", "password": "p"})).await;
    // The first try has made the account, and its answer was lost.
    world.user_entry("@carol:one.test", Kind::Account(banyan_proto::users::Account::default())).await;
    let body = json!({"username": "carol", "password": "p", "auth": {"type": "m.login.dummy", "session": challenge["session"]}});
    world.fakes.fail("Register", ServiceError::forbidden("not now"));
    assert_error(&world.post_as(None, REGISTER, body.clone()).await, 403, "M_FORBIDDEN");
    assert_error(&world.post_as(None, REGISTER, body).await, 403, "M_FORBIDDEN");
    let callers: Vec<_> = world
        .fakes
        .take()
        .into_iter()
        .map(|call| if let Call::Register(request) = call { request.caller.unwrap() } else { panic!("not a registration") })
        .collect();
    assert_eq!((callers.len(), &callers[0]), (2, &callers[1]), "the same account under the same id");
}

#[tokio::test]
async fn names_are_checked_before_anything_else() {
    let world = World::new().await;
    let available = |name: &str| format!("{REGISTER}/available?username={name}");
    assert_eq!(world.get(&available("free")).await.1, json!({"available": true}));
    assert_error(&world.get(&available("alice")).await, 400, "M_USER_IN_USE");
    assert_error(&world.get(&available("b%C3%A9")).await, 400, "M_INVALID_USERNAME");
    assert_error(&world.get(&format!("{REGISTER}/available")).await, 400, "M_MISSING_PARAM");
    assert_error(&world.post_as(None, REGISTER, json!({"username": "alice", "password": "p"})).await, 400, "M_USER_IN_USE");
    assert_error(&world.post_as(None, REGISTER, json!({"username": "a b", "password": "p"})).await, 400, "M_INVALID_USERNAME");
    let no_password = json!({"username": "x", "auth": {"type": "m.login.dummy"}});
    assert_error(&world.post_as(None, REGISTER, no_password).await, 400, "M_MISSING_PARAM");
}

#[tokio::test]
async fn guests_register_where_they_are_wanted_and_may_do_little() {
    let world = World::new().await;
    let ignored =
        json!({"username": 5, "password": "p", "device_id": "D", "inhibit_login": true, "initial_device_display_name": "Phone"});
    let (status, body) = world.post_as(None, &format!("{REGISTER}?kind=guest"), ignored).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let Call::Register(request) = world.fakes.only() else { panic!("not a registration") };
    assert!(request.guest && request.password.is_empty() && request.device_id.is_empty() && !request.inhibit_login);
    assert_eq!(request.initial_device_display_name, "Phone");
    assert_error(&world.post_as(None, &format!("{REGISTER}?kind=robot"), json!({})).await, 400, "M_INVALID_PARAM");

    let create = "/_matrix/client/v3/createRoom";
    assert_error(&world.post_as(Some(GUEST_TOKEN), create, json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let (_, body) = answer(world.request(Method::GET, WHOAMI, Some(GUEST_TOKEN))).await;
    assert_eq!(body["is_guest"], true);

    let closed = World::with(vec![TenantConfig::new("one.test")], ClientApiConfig::default()).await;
    assert_error(&closed.post_as(None, &format!("{REGISTER}?kind=guest"), json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert_error(&closed.post_as(None, REGISTER, json!({})).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn registration_tokens_are_judged() {
    let world = World::new().await;
    let path = |token: &str| format!("/_matrix/client/v1/register/m.login.registration_token/validity?token={token}");
    assert_eq!(world.get(&path("welcome")).await.1, json!({"valid": true}));
    assert_eq!(world.get(&path("nonsense")).await.1, json!({"valid": false}));
    let closed = World::with(vec![TenantConfig::new("one.test")], ClientApiConfig::default()).await;
    assert_error(&closed.get(&path("welcome")).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn without_a_shared_secret_there_is_no_registration_by_it() {
    let world = World::new().await;
    assert_error(&world.get("/_synapse/admin/v1/register").await, 404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn a_token_stands_for_its_user_on_its_own_server_only() {
    let world = World::new().await;
    let (_, body) = world.get(WHOAMI).await;
    assert_eq!(body, json!({"user_id": ALICE, "device_id": "DEV", "is_guest": false}));
    let query = format!("{WHOAMI}?access_token={ALICE_TOKEN}");
    assert_eq!(answer(world.request(Method::GET, &query, None)).await.0.as_u16(), 200);
    let url = format!("http://{}{WHOAMI}", world.address);
    let elsewhere = reqwest::Client::new().get(url).header("host", "two.test").bearer_auth(ALICE_TOKEN);
    assert_error(&answer(elsewhere).await, 401, "M_UNKNOWN_TOKEN");

    world.add_token(ALICE, "expired", account::Kind::User, 1).await;
    let expired = answer(world.request(Method::GET, WHOAMI, Some("expired"))).await;
    assert_error(&expired, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(expired.1["soft_logout"], true);
}

#[tokio::test]
async fn the_query_token_can_be_switched_off() {
    let config = ClientApiConfig { access_token_in_query: false, ..ClientApiConfig::default() };
    let world = World::with(vec![open_tenant("one.test")], config).await;
    let query = format!("{WHOAMI}?access_token={ALICE_TOKEN}");
    assert_error(&answer(world.request(Method::GET, &query, None)).await, 401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_logout_anywhere_is_honoured() {
    let world = World::new().await;
    assert_eq!(world.get(WHOAMI).await.0.as_u16(), 200);
    // Another replica did it: this one hears of it from the log.
    let token_hashes = vec![TokenHash::of(ALICE_TOKEN).as_bytes().to_vec().into()];
    world.user_entry(ALICE, Kind::TokensRevoked(AccessTokensRevoked { token_hashes, ..AccessTokensRevoked::default() })).await;
    let gone = async {
        while world.get(WHOAMI).await.0.as_u16() != 401 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.unwrap();

    world.add_token(ALICE, ALICE_TOKEN, account::Kind::User, 0).await;
    let (status, body) = world.post("/_matrix/client/v3/logout", json!({})).await;
    assert_eq!((status.as_u16(), body), (200, json!({})));
    let Call::Logout(request) = world.fakes.only() else { panic!("not a logout") };
    assert_eq!((&request.token_hash[..], request.all), (&TokenHash::of(ALICE_TOKEN).as_bytes()[..], false));
    world.post("/_matrix/client/v3/logout/all", json!({})).await;
    assert!(matches!(world.fakes.only(), Call::Logout(request) if request.all));
}

#[tokio::test]
async fn phone_numbers_are_not_supported() {
    let world = World::new().await;
    let body = json!({"client_secret": "s", "country": "GB", "phone_number": "07700900001", "send_attempt": 1});
    for path in ["register", "account/3pid", "account/password"] {
        let path = format!("/_matrix/client/v3/{path}/msisdn/requestToken");
        for token in [None, Some(ALICE_TOKEN)] {
            assert_error(&world.post_as(token, &path, body.clone()).await, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
        }
    }
}
