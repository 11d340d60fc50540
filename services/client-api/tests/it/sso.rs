//! Signing in to apps of the legacy API on the pages, and through upstream providers, as far as no provider has to answer.

use banyan_client_api::ClientApiConfig;
use banyan_proto::users::{Account, account, user_entry::Kind};
use banyan_tenants::{
    TenantConfig,
    config::{LoginConfig, SsoProviderConfig},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    oauth::sign_in,
    person::Person,
    world::{ALICE, ALICE_TOKEN, World, answer, assert_error, open_tenant},
};

const REDIRECT: &str = "/_matrix/client/v3/login/sso/redirect";
const BOB: &str = "@bob:one.test";
const BOB_TOKEN: &str = "bob-token";
const APP: &str = "redirectUrl=https%3A%2F%2Fapp.test%2F%3Fa%3Db";

fn with_providers() -> TenantConfig {
    let provider = |id: &str| -> SsoProviderConfig {
        let config =
            json!({"id": id, "name": format!("The <{id}>"), "brand": id, "issuer": "http://127.0.0.1:1/", "client_id": "banyan"});
        serde_json::from_value(config).unwrap()
    };
    TenantConfig { sso: vec![provider("corp"), provider("github")], ..open_tenant("one.test") }
}

async fn redirected(world: &World, path: &str) -> (u16, String) {
    let request = Person::new(world).request(Method::GET, path);
    let response = request.send().await.unwrap();
    let location = response.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
    (response.status().as_u16(), location.unwrap_or_default())
}

#[tokio::test]
async fn the_flow_is_preferred_and_names_the_providers() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    let (_, body) = answer(world.request(Method::GET, "/_matrix/client/v3/login", None)).await;
    let flow = body["flows"].as_array().unwrap().iter().find(|flow| flow["type"] == "m.login.sso").unwrap();
    assert_eq!(flow["oauth_aware_preferred"], true);
    assert_eq!(flow["identity_providers"][0], json!({"id": "corp", "name": "The <corp>", "brand": "corp"}));
}

#[tokio::test]
async fn an_app_gets_a_login_token_of_whoever_says_yes() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    let (status, location) = redirected(&world, &format!("{REDIRECT}?{APP}")).await;
    assert_eq!(status, 302);
    let mut person = Person::new(&world);
    let page = person.open(location.strip_prefix("https://one.test").unwrap()).await;
    let login = person.open(page.sent_to()).await;
    assert!(
        login.html.contains("Sign in with The &lt;corp&gt;") && login.html.contains("id=\"provider-github\""),
        "{}",
        login.html
    );
    let signed_in = person.submit(&login.form("sign-in-form"), &[("user", "alice"), ("password", "right")]).await;
    let page = person.open(signed_in.sent_to()).await;
    assert!(page.html.contains("app.test") && page.html.contains(ALICE), "{}", page.html);
    assert!(page.policy.contains("form-action 'self' https://app.test;"), "{}", page.policy);
    let mut forged = page.form("continue-form");
    forged.fields.insert("csrf".to_owned(), "made-up".to_owned());
    assert_eq!(person.submit(&forged, &[]).await.status, 400);
    let back = person.submit(&page.form("continue-form"), &[]).await;
    let token = back.sent_to().strip_prefix("https://app.test/?a=b&loginToken=").unwrap().to_owned();
    world.fakes.take();
    let by_token = json!({"type": "m.login.token", "token": token});
    let (status, body) = world.post_as(None, "/_matrix/client/v3/login", by_token.clone()).await;
    assert_eq!((status.as_u16(), &body["user_id"]), (200, &json!(ALICE)));
    assert!(matches!(world.fakes.only(), Call::Login(login) if login.proved));
    assert_error(&world.post_as(None, "/_matrix/client/v3/login", by_token).await, 403, "M_FORBIDDEN");
    for wrong in ["", "javascript:alert(1)", "nonsense"] {
        assert_eq!(person.open(&format!("/oauth2/continue?redirectUrl={wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn clients_choose_where_their_users_are_sent() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    let (_, location) = redirected(&world, &format!("{REDIRECT}?{APP}&action=register")).await;
    assert!(location.starts_with("https://one.test/oauth2/create?next="), "{location}");
    let (_, location) = redirected(&world, &format!("{REDIRECT}/github?{APP}")).await;
    assert!(location.starts_with("https://one.test/oauth2/sso?provider=github&next="), "{location}");
    assert_eq!(redirected(&world, &format!("{REDIRECT}/nobody?{APP}")).await.0, 404);
    assert_error(&answer(world.request(Method::GET, REDIRECT, None)).await, 400, "M_MISSING_PARAM");

    let mut only = with_providers();
    only.sso.truncate(1);
    only.login.password = false;
    let world = World::with(vec![only], ClientApiConfig::default()).await;
    let (_, location) = redirected(&world, &format!("{REDIRECT}?{APP}")).await;
    assert!(location.starts_with("https://one.test/oauth2/sso?provider=corp"), "there is nothing else: {location}");
    let page = Person::new(&world).open("/oauth2/login").await;
    assert!(!page.html.contains("type=\"password\""), "{}", page.html);
}

#[tokio::test]
async fn a_tenant_without_login_tokens_does_not_offer_it() {
    for login in [LoginConfig { token: false, ..LoginConfig::default() }, LoginConfig { legacy: false, ..LoginConfig::default() }] {
        let world = World::with(vec![TenantConfig { login, ..with_providers() }], ClientApiConfig::default()).await;
        assert_error(&answer(world.request(Method::GET, &format!("{REDIRECT}?{APP}"), None)).await, 404, "M_UNRECOGNIZED");
        let (_, body) = answer(world.request(Method::GET, "/_matrix/client/v3/login", None)).await;
        let offered = |flow: &Value| flow["type"] == "m.login.sso";
        assert!(!body["flows"].as_array().is_some_and(|flows| flows.iter().any(offered)), "{body}");
        let mut person = Person::new(&world);
        let shown = person.open(&format!("/oauth2/continue?{APP}")).await;
        let next = sign_in(&mut person, &shown).await;
        let page = person.open(&next).await;
        assert_eq!(person.submit(&page.form("continue-form"), &[]).await.status, 400);
    }
}

#[tokio::test]
async fn nobody_comes_back_who_did_not_set_out() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    let mut person = Person::new(&world);
    let unknown = person.open("/oauth2/sso/callback/corp?state=made-up&code=x").await;
    assert_eq!(unknown.status, 400);
    let refused = person.open("/oauth2/sso/callback/corp?state=made-up&error=access_denied").await;
    assert_eq!(refused.status, 400);
    assert_eq!(person.open("/oauth2/sso?provider=nobody").await.status, 404);
    assert_eq!(person.open("/oauth2/sso?provider=corp").await.status, 503, "the provider does not answer");
    let page = person.open("/oauth2/login").await;
    let mut form = page.form("sign-in-form");
    form.action = "/oauth2/sso/account".to_owned();
    let made_up = [("form", "made-up"), ("username", "bob")];
    assert_eq!(person.submit(&form, &made_up).await.status, 400);
    assert!(world.fakes.take().is_empty());
}

/// A session of the legacy API confirms in a browser what a password would have to confirm.
#[tokio::test]
async fn whoever_has_no_password_confirms_in_a_browser() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    world.user_entry(ALICE, Kind::Account(Account::default())).await;
    let delete = |auth: Value| {
        let body = json!({"devices": ["OLD"], "auth": auth});
        world.post_as(Some(ALICE_TOKEN), "/_matrix/client/v3/delete_devices", body)
    };
    let (status, challenge) = delete(Value::Null).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.login.sso"]}])), "{challenge}");
    let session = challenge["session"].as_str().unwrap().to_owned();
    let auth = json!({"session": session});
    assert_eq!(delete(auth.clone()).await.0.as_u16(), 401, "nobody confirmed it");
    assert_eq!(delete(json!({"session": session, "type": "m.login.sso"})).await.0.as_u16(), 401);

    let mut person = Person::new(&world);
    let fallback = format!("/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}");
    let (status, location) = redirected(&world, &fallback).await;
    assert_eq!(status, 303);
    let page = location.strip_prefix("https://one.test").unwrap().to_owned();
    let shown = person.open(&page).await;
    let next = sign_in(&mut person, &shown).await;
    let confirm = person.open(&next).await;
    assert!(confirm.html.contains("Sign out devices"), "{}", confirm.html);
    let mut forged = confirm.form("confirm-form");
    forged.fields.insert("csrf".to_owned(), "made-up".to_owned());
    assert_eq!(person.submit(&forged, &[]).await.status, 400);
    let mut other = confirm.form("confirm-form");
    other.fields.insert("session".to_owned(), "made-up".to_owned());
    assert_eq!(person.submit(&other, &[]).await.status, 404);
    assert_eq!(delete(auth.clone()).await.0.as_u16(), 401, "nobody confirmed it yet");
    let done = person.submit(&confirm.form("confirm-form"), &[]).await;
    assert_eq!(done.sent_to(), fallback);
    assert_eq!(redirected(&world, &fallback).await.0, 200, "the app is told");
    world.fakes.take();
    assert_eq!(delete(auth).await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::DeleteDevices(_)));
}

#[tokio::test]
async fn nobody_confirms_for_another() {
    let world = World::with(vec![with_providers()], ClientApiConfig::default()).await;
    world.add_user(BOB, BOB_TOKEN, account::Kind::User).await;
    for user in [ALICE, BOB] {
        world.user_entry(user, Kind::Account(Account::default())).await;
    }
    let body = json!({"devices": ["OLD"]});
    let (_, challenge) = world.post_as(Some(BOB_TOKEN), "/_matrix/client/v3/delete_devices", body).await;
    let session = challenge["session"].as_str().unwrap();
    let mut person = Person::new(&world);
    let shown = person.open(&format!("/oauth2/account?action=confirm&session={session}")).await;
    let next = sign_in(&mut person, &shown).await;
    assert_eq!(person.open(&next).await.status, 404);
    let mut form = person.open("/oauth2/account").await.form("sign-out-form");
    form.action = "/oauth2/account/confirm".to_owned();
    assert_eq!(person.submit(&form, &[("session", session)]).await.status, 404);
}
