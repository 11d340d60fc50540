//! User-interactive authentication, in requests and in a browser.

use banyan_client_api::ClientApiConfig;
use banyan_core::ServiceError;
use banyan_tenants::config::{PolicyConfig, PolicyDocument};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const PASSWORD: &str = "/_matrix/client/v3/account/password";
const REGISTER: &str = "/_matrix/client/v3/register";

fn with(wish: &Value, auth: Value) -> Value {
    let mut body = wish.clone();
    body["auth"] = auth;
    body
}

fn by_password(user: &str, session: &Value) -> Value {
    json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": "old", "session": session})
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_old_one() {
    let world = World::new().await;
    let wish = json!({"new_password": "new", "logout_devices": false});
    let (status, challenge) = world.post(PASSWORD, wish.clone()).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.login.password"]}])));
    let (status, body) = world.post(PASSWORD, with(&wish, by_password("alice", &challenge["session"]))).await;
    assert_eq!((status.as_u16(), body), (200, json!({})));
    let calls = world.fakes.take();
    let [Call::CheckPassword(checked), Call::ChangePassword(changed)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((checked.password.as_str(), checked.caller.as_ref().unwrap().user_id.as_str()), ("old", ALICE));
    let caller = changed.caller.as_ref().unwrap();
    assert_eq!((changed.new_password.as_str(), changed.logout_devices, caller.device_id.as_str()), ("new", false, "DEV"));
    // Used once: the same session begins anew.
    let (status, again) = world.post(PASSWORD, with(&wish, json!({"session": challenge["session"]}))).await;
    assert_eq!(status.as_u16(), 401);
    assert_ne!(again["session"], challenge["session"]);
}

#[tokio::test]
async fn stages_that_fail_say_why_and_the_session_goes_on() {
    let world = World::new().await;
    let wish = json!({"new_password": "new"});
    let (_, challenge) = world.post(PASSWORD, wish.clone()).await;
    let session = &challenge["session"];
    for (auth, errcode) in [
        (json!({"type": "m.login.password", "user": "alice", "session": session}), "M_BAD_JSON"),
        (json!({"type": "m.login.password", "password": "old", "session": session}), "M_BAD_JSON"),
        (json!({"type": "m.login.dummy", "session": session}), "M_UNAUTHORIZED"),
        (
            json!({"type": "m.login.password", "password": "old", "session": session,
            "identifier": {"type": "m.id.phone", "country": "GB", "phone": "1"}}),
            "M_FORBIDDEN",
        ),
    ] {
        let (status, body) = world.post(PASSWORD, with(&wish, auth)).await;
        assert_eq!((status.as_u16(), body["errcode"].as_str()), (401, Some(errcode)), "{body}");
        assert_eq!(&body["session"], session);
    }
    for other in ["bob", "@alice:elsewhere", "nobody"] {
        assert_error(&world.post(PASSWORD, with(&wish, by_password(other, session))).await, 403, "M_FORBIDDEN");
    }
    assert!(world.fakes.take().is_empty(), "no password of anyone was tried");
    assert_error(&world.post(PASSWORD, with(&wish, json!("x"))).await, 400, "M_BAD_JSON");
    world.fakes.fail("CheckPassword", ServiceError::forbidden("Invalid username or password"));
    let (status, body) = world.post(PASSWORD, with(&wish, by_password("alice", session))).await;
    assert_eq!((status.as_u16(), body["errcode"].as_str()), (401, Some("M_FORBIDDEN")));
}

#[tokio::test]
async fn what_was_confirmed_cannot_be_swapped_and_a_failure_can_be_repeated() {
    let world = World::new().await;
    let wish = json!({"new_password": "new"});
    let (_, challenge) = world.post(PASSWORD, wish.clone()).await;
    let session = &challenge["session"];
    world.fakes.fail("ChangePassword", ServiceError::unavailable("away"));
    let (status, _) = world.post(PASSWORD, with(&wish, by_password("alice", session))).await;
    assert_eq!(status.as_u16(), 503);
    let other = with(&json!({"new_password": "another"}), json!({"session": session}));
    assert_error(&world.post(PASSWORD, other).await, 403, "M_FORBIDDEN");
    assert_eq!(world.post(PASSWORD, with(&wish, json!({"session": session}))).await.0.as_u16(), 503);
    let changed = |call| if let Call::ChangePassword(request) = call { Some(request.caller.unwrap().request_id) } else { None };
    let changes: Vec<_> = world.fakes.take().into_iter().filter_map(changed).collect();
    assert!(changes.len() >= 2 && changes.iter().all(|id| *id == changes[0]), "one command, however often it is tried");
    // The other session is nobody else's either.
    world.add_user("@bob:one.test", "bob-token", banyan_proto::users::account::Kind::User).await;
    let stolen = world.post_as(Some("bob-token"), PASSWORD, with(&wish, json!({"session": session}))).await;
    assert_error(&stolen, 403, "M_FORBIDDEN");
    assert_error(&world.post_as(Some(GUEST_TOKEN), PASSWORD, wish).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert_error(&world.post(PASSWORD, json!({"auth": {"type": "m.login.password"}})).await, 400, "M_BAD_JSON");
}

async fn with_terms() -> World {
    let mut tenant = open_tenant("one.test");
    let document = |language: &str| PolicyDocument {
        language: language.to_owned(),
        name: "Terms <of> service".to_owned(),
        url: format!("https://one.test/{language}"),
    };
    let policy = PolicyConfig { id: "tos".to_owned(), version: "1.2".to_owned(), documents: vec![document("en"), document("fr")] };
    tenant.registration.terms = vec![policy];
    World::with(vec![tenant], ClientApiConfig::default()).await
}

#[tokio::test]
async fn terms_are_shown_and_what_was_accepted_is_kept() {
    let world = with_terms().await;
    let wish = json!({"username": "bob", "password": "p"});
    let (_, challenge) = world.post_as(None, REGISTER, wish.clone()).await;
    let flows = json!([{"stages": ["m.login.registration_token", "m.login.terms"]}, {"stages": ["m.login.terms"]}]);
    assert_eq!(challenge["flows"], flows);
    let policy = &challenge["params"]["m.login.terms"]["policies"]["tos"];
    assert_eq!((&policy["version"], &policy["fr"]["url"]), (&json!("1.2"), &json!("https://one.test/fr")));
    let accept = json!({"type": "m.login.terms", "session": challenge["session"]});
    let (status, body) = world.post_as(None, REGISTER, with(&wish, accept)).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let Call::Register(request) = world.fakes.only() else { panic!("not a registration") };
    assert_eq!(request.accepted_terms, ["tos/1.2"]);
}

/// A page: status, headers worth a look, text.
async fn page(request: reqwest::RequestBuilder) -> (StatusCode, String, String) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!((header("x-frame-options").as_str(), header("cache-control").as_str()), ("DENY", "no-store"));
    let policy = header("content-security-policy");
    (status, policy, response.text().await.unwrap())
}

fn fallback(stage: &str) -> String {
    format!("/_matrix/client/v3/auth/{stage}/fallback/web")
}

#[tokio::test]
async fn a_stage_can_be_passed_in_a_browser() {
    let world = with_terms().await;
    let wish = json!({"username": "bob", "password": "p"});
    let (_, challenge) = world.post_as(None, REGISTER, wish.clone()).await;
    let session = challenge["session"].as_str().unwrap();
    let path = fallback("m.login.terms");
    let (status, policy, html) = page(world.request(Method::GET, &format!("{path}?session={session}"), None)).await;
    assert_eq!(status.as_u16(), 200);
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(
        html.contains("Terms &lt;of&gt; service") && html.contains("https://one.test/fr") && !html.contains("<script"),
        "{html}"
    );

    let send =
        |site: &str| world.request(Method::POST, &path, None).header("sec-fetch-site", site).body(format!("session={session}"));
    let form = |site: &str| send(site).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(page(form("cross-site")).await.0.as_u16(), 400);
    let (status, policy, html) = page(form("same-origin")).await;
    assert_eq!(status.as_u16(), 200);
    let nonce = html.split("<script nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{policy}");
    assert!(html.contains("window.onAuthDone()") && html.contains("window.opener.postMessage(\"authDone\",\"*\")"), "{html}");

    // It counts for what was asked for, and for nothing else.
    let other = json!({"username": "mallory", "password": "p", "auth": {"session": session}});
    assert_error(&world.post_as(None, REGISTER, other).await, 403, "M_FORBIDDEN");
    let (status, body) = world.post_as(None, REGISTER, with(&wish, json!({"session": session}))).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    assert_eq!(page(world.request(Method::GET, &format!("{path}?session={session}"), None)).await.0.as_u16(), 404, "used");
}

#[tokio::test]
async fn pages_of_other_stages_and_sessions_do_not_exist() {
    let world = with_terms().await;
    let (_, challenge) = world.post_as(None, REGISTER, json!({})).await;
    let session = challenge["session"].as_str().unwrap();
    for (stage, session) in [
        ("m.login.terms", "made-up"),
        ("m.login.dummy", session),
        ("m.login.recaptcha", session),
        ("m.login.terms", "%3Cscript%3E"),
    ] {
        let path = format!("{}?session={session}", fallback(stage));
        let (status, _, html) = page(world.request(Method::GET, &path, None)).await;
        assert_eq!(status.as_u16(), 404, "{stage}");
        assert!(!html.contains("<script"), "{html}");
    }
    let missing = answer(world.request(Method::GET, &fallback("m.login.terms"), None)).await;
    assert_error(&missing, 400, "M_MISSING_PARAM");
    let broken = world.request(Method::POST, &fallback("m.login.terms"), None).body("x");
    assert_eq!(page(broken).await.0.as_u16(), 400);
}

#[tokio::test]
async fn passwords_and_tokens_are_judged_in_a_browser_too() {
    let world = World::new().await;
    let (_, challenge) = world.post(PASSWORD, json!({})).await;
    let session = challenge["session"].as_str().unwrap().to_owned();
    let send = |stage: &str, fields: String| {
        let request =
            world.request(Method::POST, &fallback(stage), None).header("content-type", "application/x-www-form-urlencoded");
        request.body(fields)
    };
    let somebody = format!("session={session}&user=bob&password=p");
    assert_eq!(page(send("m.login.password", somebody)).await.0.as_u16(), 401);
    assert!(world.fakes.take().is_empty());
    let right = format!("session={session}&user=alice&password=old");
    let (status, _, html) = page(send("m.login.password", right)).await;
    assert_eq!(status.as_u16(), 200);
    assert!(html.contains("authDone"));
    // The first request only asked for the flows, so the next one says what is wanted.
    let wish = json!({"new_password": "new", "auth": {"session": session}});
    assert_eq!(answer(world.request(Method::POST, PASSWORD, Some(ALICE_TOKEN)).body(wish.to_string())).await.0.as_u16(), 200);

    let (_, challenge) = world.post_as(None, REGISTER, json!({"username": "bob", "password": "p"})).await;
    let session = challenge["session"].as_str().unwrap();
    let wrong = page(send("m.login.registration_token", format!("session={session}&token=nonsense"))).await;
    assert_eq!(wrong.0.as_u16(), 401);
    assert!(wrong.2.contains("Invalid registration token"));
    let right = page(send("m.login.registration_token", format!("session={session}&token=welcome"))).await;
    assert_eq!(right.0.as_u16(), 200);
}
