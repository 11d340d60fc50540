//! Tokens that end: refreshed access tokens, login tokens, OpenID tokens.

use banyan_client_api::ClientApiConfig;
use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessToken, AccessTokenIssued, RefreshToken, RefreshTokenIssued, account, user_entry::Kind};
use banyan_tenants::config::LoginConfig;
use banyan_users::{ShortTokens, TokenHash};
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    world::{ALICE, GUEST, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const LOGIN: &str = "/_matrix/client/v3/login";
const REFRESH: &str = "/_matrix/client/v3/refresh";
const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";

#[tokio::test]
async fn who_can_refresh_is_told_when_the_token_ends() {
    let world = World::new().await;
    let login = json!({"type": "m.login.password", "user": "alice", "password": "p", "refresh_token": true});
    let (status, body) = world.post_as(None, LOGIN, login).await;
    assert_eq!((status.as_u16(), &body["refresh_token"], &body["expires_in_ms"]), (200, &json!("bynr_made"), &json!(3_600_000)));
    let register = json!({"auth": {"type": "m.login.dummy"}, "username": "bob", "password": "p", "refresh_token": true});
    world.fakes.take();
    assert_eq!(world.post_as(None, "/_matrix/client/v3/register", register).await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::Register(request) if request.refreshable));
    let plain = json!({"type": "m.login.password", "user": "alice", "password": "p"});
    let (_, body) = world.post_as(None, LOGIN, plain).await;
    assert!(body.get("refresh_token").is_none() && body.get("expires_in_ms").is_none(), "{body}");
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens() {
    let world = World::new().await;
    let token_hash = TokenHash::of("bynr_old").as_bytes().to_vec().into();
    let token = RefreshToken { user_id: ALICE.to_owned(), device_id: "DEV".to_owned(), created: 0, ..RefreshToken::default() };
    world.user_entry(ALICE, Kind::RefreshIssued(RefreshTokenIssued { token_hash, token: Some(token) })).await;
    let (status, body) = world.post_as(None, REFRESH, json!({"refresh_token": "bynr_old"})).await;
    let expected = json!({"access_token": "byn_made", "refresh_token": "bynr_made", "expires_in_ms": 3_600_000});
    assert_eq!((status.as_u16(), body), (200, expected));
    let Call::Refresh(request) = world.fakes.only() else { panic!("not a refresh") };
    assert_eq!(request.token_hash[..], TokenHash::of("bynr_old").as_bytes()[..]);

    let unknown = world.post_as(None, REFRESH, json!({"refresh_token": "made-up"})).await;
    assert_error(&unknown, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(unknown.1["soft_logout"], true);
    assert!(world.fakes.take().is_empty());
    assert_error(&world.post_as(None, REFRESH, json!({})).await, 400, "M_BAD_JSON");
    let url = format!("http://{}{REFRESH}", world.address);
    let elsewhere = reqwest::Client::new().post(url).header("host", "two.test").body(r#"{"refresh_token":"bynr_old"}"#);
    assert_error(&answer(elsewhere).await, 401, "M_UNKNOWN_TOKEN");
    let locked = ServiceError::matrix(ErrorCode::Unauthenticated, "M_USER_LOCKED", "locked");
    world.fakes.fail("Refresh", locked);
    assert_error(&world.post_as(None, REFRESH, json!({"refresh_token": "bynr_old"})).await, 401, "M_USER_LOCKED");
}

#[tokio::test]
async fn the_first_use_of_a_refreshed_token_is_told_to_the_owner() {
    let world = World::new().await;
    let hash = TokenHash::of("fresh");
    let issued = |unconfirmed| {
        let row = AccessToken { user_id: ALICE.to_owned(), device_id: "DEV".to_owned(), unconfirmed, ..AccessToken::default() };
        Kind::TokenIssued(AccessTokenIssued { token_hash: hash.as_bytes().to_vec().into(), token: Some(row) })
    };
    world.user_entry(ALICE, issued(true)).await;
    let whoami = || world.request(Method::GET, "/_matrix/client/v3/account/whoami", Some("fresh"));
    world.fakes.fail("ConfirmToken", ServiceError::unavailable("away"));
    assert_eq!(answer(whoami()).await.0.as_u16(), 503, "what cannot be told is not used");
    let calls = world.fakes.take();
    let told = |call: &Call| matches!(call, Call::ConfirmToken(request) if request.token_hash[..] == hash.as_bytes()[..]);
    assert!(!calls.is_empty() && calls.iter().all(told), "{calls:?}");
    world.user_entry(ALICE, issued(false)).await;
    assert_eq!(answer(whoami()).await.0.as_u16(), 200);
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn a_session_lets_another_device_log_in_once() {
    let world = World::new().await;
    let (status, challenge) = world.post(GET_TOKEN, json!({})).await;
    assert_eq!(status.as_u16(), 401);
    let auth = json!({"type": "m.login.password", "user": "alice", "password": "p", "session": challenge["session"]});
    let (status, body) = world.post(GET_TOKEN, json!({ "auth": auth })).await;
    assert_eq!((status.as_u16(), &body["expires_in_ms"]), (200, &json!(120_000)));
    world.fakes.take();
    let login = json!({"type": "m.login.token", "token": body["login_token"], "device_id": "NEW"});
    let (status, body) = world.post_as(None, LOGIN, login.clone()).await;
    assert_eq!((status.as_u16(), &body["user_id"]), (200, &json!(ALICE)));
    let Call::Login(request) = world.fakes.only() else { panic!("not a login") };
    assert!(request.proved && request.password.is_empty() && request.device_id == "NEW");
    assert_error(&world.post_as(None, LOGIN, login).await, 403, "M_FORBIDDEN");
    assert_error(&world.post_as(None, LOGIN, json!({"type": "m.login.token"})).await, 400, "M_BAD_JSON");
    assert_error(&world.post_as(Some(GUEST_TOKEN), GET_TOKEN, json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let (_, flows) = world.get(LOGIN).await;
    let expected = json!([
        {"type": "m.login.password"},
        {"type": "m.login.token", "get_login_token": true},
        {"type": "m.login.sso", "oauth_aware_preferred": true},
    ]);
    assert_eq!(flows["flows"], expected);
}

#[tokio::test]
async fn logging_in_by_a_token_can_be_switched_off() {
    let mut tenant = open_tenant("one.test");
    tenant.login = LoginConfig { token: false, ..LoginConfig::default() };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    assert_error(&world.post(GET_TOKEN, json!({})).await, 403, "M_FORBIDDEN");
    assert_error(&world.post_as(None, LOGIN, json!({"type": "m.login.token", "token": "x"})).await, 400, "M_UNKNOWN");
    let (_, body) = world.get("/_matrix/client/v3/capabilities").await;
    assert_eq!(body["capabilities"]["m.get_login_token"]["enabled"], false);
}

#[tokio::test]
async fn an_openid_token_is_one_s_own_and_no_access_token() {
    let world = World::new().await;
    let path = |user_id: &str| format!("/_matrix/client/v3/user/{user_id}/openid/request_token");
    let (status, body) = world.post(&path(ALICE), json!({})).await;
    assert_eq!((status.as_u16(), &body["token_type"], &body["expires_in"]), (200, &json!("Bearer"), &json!(3600)));
    assert_eq!(body["matrix_server_name"], "one.test");
    let token = body["access_token"].as_str().unwrap();
    let context = &world.context;
    let tokens = ShortTokens::for_openid(context.store.clone(), context.clock.clone(), context.entropy.clone());
    assert_eq!(tokens.find("one.test", token).await.unwrap().as_deref(), Some(ALICE));
    assert_error(&world.post_as(Some(token), &path(ALICE), json!({})).await, 401, "M_UNKNOWN_TOKEN");
    assert_error(&world.post(&path("@bob:one.test"), json!({})).await, 403, "M_FORBIDDEN");
    assert_error(&world.post_as(Some(GUEST_TOKEN), &path(GUEST), json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    world.add_token(ALICE, "over", account::Kind::User, 1).await;
    assert_error(&world.post_as(Some("over"), &path(ALICE), json!({})).await, 401, "M_UNKNOWN_TOKEN");
}
