//! Devices without a browser.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    fakes::Call,
    oauth::{assert_refused, metadata, register, sign_in, token},
    person::{Person, Shown},
    world::{ALICE, World, answer},
};

const SCOPE: &str = "urn:matrix:client:api:* urn:matrix:client:device:TELEVISION";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(world: &World, client_id: &str, scope: &str) -> (StatusCode, Value) {
    let body =
        form_urlencoded::Serializer::new(String::new()).append_pair("client_id", client_id).append_pair("scope", scope).finish();
    let request = world.request(Method::POST, "/oauth2/device", None).header("content-type", "application/x-www-form-urlencoded");
    answer(request.body(body)).await
}

async fn poll(world: &World, client_id: &str, codes: &Value) -> (StatusCode, Value) {
    token(world, &[("grant_type", GRANT), ("client_id", client_id), ("device_code", codes["device_code"].as_str().unwrap())]).await
}

/// Opens the page of the code as Alice.
async fn open(person: &mut Person<'_>, codes: &Value) -> Shown {
    let complete = codes["verification_uri_complete"].as_str().unwrap().strip_prefix("https://one.test").unwrap().to_owned();
    let shown = person.open(&complete).await;
    let next = sign_in(person, &shown).await;
    assert_eq!(next, complete);
    person.open(&next).await
}

#[tokio::test]
async fn a_device_is_let_in_from_a_browser_elsewhere() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let (status, codes) = begin(&world, &client_id, SCOPE).await;
    assert_eq!(status.as_u16(), 200, "{codes}");
    assert_eq!((&codes["verification_uri"], &codes["interval"]), (&json!("https://one.test/oauth2/link"), &json!(5)));
    let user_code = codes["user_code"].as_str().unwrap();
    assert_eq!((user_code.len(), user_code.as_bytes()[4]), (9, b'-'));
    assert_refused(&poll(&world, &client_id, &codes).await, 400, "authorization_pending");
    assert_refused(&poll(&world, &client_id, &codes).await, 400, "slow_down");

    let mut person = Person::new(&world);
    let page = open(&mut person, &codes).await;
    assert!(page.html.contains(user_code) && page.html.contains("My &lt;App&gt;") && page.html.contains(ALICE), "{}", page.html);
    world.fakes.take();
    let done = person.submit(&page.form("device-form"), &[("decision", "allow")]).await;
    assert_eq!(done.status, 200);
    let (status, body) = poll(&world, &client_id, &codes).await;
    assert_eq!((status.as_u16(), &body["scope"], &body["refresh_token"]), (200, &json!(SCOPE), &json!("bynr_made")), "{body}");
    let Call::Login(login) = world.fakes.only() else { panic!("no login") };
    assert_eq!((login.device_id.as_str(), login.caller.unwrap().user_id.as_str()), ("TELEVISION", ALICE));
    assert_refused(&poll(&world, &client_id, &codes).await, 400, "invalid_grant");
    // What is decided is decided.
    assert_eq!(person.submit(&page.form("device-form"), &[("decision", "deny")]).await.status, 404);
}

#[tokio::test]
async fn a_code_can_be_typed_as_people_type() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let (_, codes) = begin(&world, &client_id, SCOPE).await;
    let mut person = Person::new(&world);
    let shown = person.open("/oauth2/link").await;
    let next = sign_in(&mut person, &shown).await;
    let page = person.open(&next).await;
    assert!(page.is_labelled() && page.html.contains("name=\"user_code\""), "{}", page.html);
    let typed = codes["user_code"].as_str().unwrap().replace('-', "%20").to_lowercase();
    let asked = person.open(&format!("/oauth2/link?user_code={typed}")).await;
    assert_eq!(asked.status, 200);
    let wrong = person.open("/oauth2/link?user_code=BCDF-GHJK").await;
    assert_eq!(wrong.status, 404);
    assert!(wrong.html.contains("not known") && wrong.is_labelled());

    let mut form = asked.form("device-form");
    form.fields.insert("csrf".to_owned(), "made-up".to_owned());
    assert_eq!(person.submit(&form, &[("decision", "allow")]).await.status, 400);
    assert_refused(&poll(&world, &client_id, &codes).await, 400, "authorization_pending");
    assert_eq!(person.submit(&asked.form("device-form"), &[("decision", "deny")]).await.status, 200);
    assert_refused(&poll(&world, &client_id, &codes).await, 400, "access_denied");
}

#[tokio::test]
async fn devices_of_others_and_made_up_ones_wait_for_nothing() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let (_, codes) = begin(&world, &client_id, SCOPE).await;
    let mut other = metadata();
    other["client_name"] = json!("Other");
    let (_, other) = world.post_as(None, "/oauth2/clients", other).await;
    assert_refused(&poll(&world, other["client_id"].as_str().unwrap(), &codes).await, 400, "invalid_grant");
    assert_refused(&poll(&world, &client_id, &json!({"device_code": "bynd_made-up"})).await, 400, "invalid_grant");
    assert_refused(&begin(&world, &client_id, "openid").await, 400, "invalid_scope");
    assert_refused(&begin(&world, "made-up", SCOPE).await, 401, "invalid_client");
    assert_refused(&begin(&world, "", SCOPE).await, 400, "invalid_request");
    let mut web = metadata();
    web["grant_types"] = json!(["authorization_code", "refresh_token"]);
    let (_, web) = world.post_as(None, "/oauth2/clients", web).await;
    assert_refused(&begin(&world, web["client_id"].as_str().unwrap(), SCOPE).await, 400, "unauthorized_client");
}
