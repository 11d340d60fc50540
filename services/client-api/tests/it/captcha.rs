//! Registering with a captcha, which a service on loopback judges.

use std::{collections::HashMap, io::Write as _};

use axum::{Form, Json, Router, routing::post};
use banyan_client_api::ClientApiConfig;
use banyan_tenants::config::RecaptchaConfig;
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{World, assert_error, open_tenant},
};

const REGISTER: &str = "/_matrix/client/v3/register";

/// Takes `solved` for an answer, of whoever knows the secret.
async fn judge(Form(form): Form<HashMap<String, String>>) -> Json<Value> {
    let right = form["secret"] == "hush" && form["response"] == "solved" && form["remoteip"] == "127.0.0.1";
    Json(json!({ "success": right, "error-codes": [] }))
}

async fn world() -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service_url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/siteverify", post(judge));
    tokio::spawn(async move { axum::serve(listener, router).await });
    with(service_url).await
}

async fn with(service_url: String) -> World {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"hush\n").unwrap();
    let mut tenant = open_tenant("one.test");
    let private_key_file = secret.path().to_owned();
    tenant.registration.recaptcha = Some(RecaptchaConfig { public_key: "<site>".to_owned(), private_key_file, service_url });
    World::with(vec![tenant], ClientApiConfig::default()).await
}

fn wish(session: Option<&Value>, response: Option<&str>) -> Value {
    let mut body = json!({"username": "bob", "password": "p"});
    if let Some(session) = session {
        body["auth"] = json!({"type": "m.login.recaptcha", "session": session});
        if let Some(response) = response {
            body["auth"]["response"] = response.into();
        }
    }
    body
}

#[tokio::test]
async fn who_solves_it_registers() {
    let world = world().await;
    let (status, challenge) = world.post_as(None, REGISTER, wish(None, None)).await;
    let flows = json!([{"stages": ["m.login.registration_token", "m.login.recaptcha"]}, {"stages": ["m.login.recaptcha"]}]);
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &flows));
    assert_eq!(challenge["params"]["m.login.recaptcha"], json!({"public_key": "<site>"}));
    let session = &challenge["session"];
    assert_error(&world.post_as(None, REGISTER, wish(Some(session), Some("guessed"))).await, 401, "M_UNAUTHORIZED");
    assert_error(&world.post_as(None, REGISTER, wish(Some(session), None)).await, 401, "M_BAD_JSON");
    assert!(world.fakes.take().is_empty());
    assert_eq!(world.post_as(None, REGISTER, wish(Some(session), Some("solved"))).await.0.as_u16(), 200);
    assert!(matches!(world.fakes.only(), Call::Register(_)));
}

#[tokio::test]
async fn the_page_shows_it_and_nothing_else_is_loaded() {
    let world = world().await;
    let (_, challenge) = world.post_as(None, REGISTER, wish(None, None)).await;
    let session = challenge["session"].as_str().unwrap();
    let path = "/_matrix/client/v3/auth/m.login.recaptcha/fallback/web";
    let response = world.request(Method::GET, &format!("{path}?session={session}"), None).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let html = response.text().await.unwrap();
    let nonce = html.split("<script nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(
        policy.contains(&format!("script-src 'nonce-{nonce}' 'strict-dynamic';")) && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert!(html.contains("data-sitekey=\"&lt;site&gt;\"") && html.contains("/api.js\" async defer>"), "{html}");
    let send = async |response: &str| {
        let form = world.request(Method::POST, path, None).header("content-type", "application/x-www-form-urlencoded");
        let answer = form.body(format!("session={session}&g-recaptcha-response={response}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(send("guessed").await.0, 401);
    let (status, html) = send("solved").await;
    assert!(status == 200 && html.contains("authDone"), "{html}");
}

#[tokio::test]
async fn nobody_registers_while_the_service_is_away() {
    let world = with("http://127.0.0.1:1".to_owned()).await;
    let (_, challenge) = world.post_as(None, REGISTER, wish(None, None)).await;
    let refused = world.post_as(None, REGISTER, wish(Some(&challenge["session"]), Some("solved"))).await;
    assert_error(&refused, 503, "M_UNKNOWN");
    assert!(world.fakes.take().is_empty());
}
