//! The page that logs in for clients that cannot.

use banyan_client_api::ClientApiConfig;
use banyan_tenants::config::LoginConfig;
use http::Method;

use crate::world::{World, open_tenant};

const PAGE: &str = "/_matrix/static/client/login/?device_id=GHTYAJCE";

#[tokio::test]
async fn the_page_logs_in_and_hands_the_answer_over() {
    let world = World::new().await;
    let response = world.request(Method::GET, PAGE, None).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("x-frame-options").as_str(), header("referrer-policy").as_str()), ("DENY", "no-referrer"));
    let policy = header("content-security-policy");
    let nonce = policy.split_once("script-src 'nonce-").unwrap().1.split_once('\'').unwrap().0.to_owned();
    assert!(policy.contains("connect-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
    let html = response.text().await.unwrap();
    let script = html.split_once(&format!("<script nonce=\"{nonce}\">")).unwrap().1;
    for part in ["/_matrix/client/v3/login", "window.matrixLogin.onLogin(response)", "\"device_id\"", "m.login.password"] {
        assert!(script.contains(part), "{part}");
    }
    assert!(!html.contains("GHTYAJCE"), "what the address says is never part of the page");
    let again = world.request(Method::GET, PAGE, None).send().await.unwrap();
    assert_ne!(again.headers()["content-security-policy"], policy.as_str(), "a nonce is used once");
}

#[tokio::test]
async fn without_logins_by_password_it_has_no_form() {
    let mut tenant = open_tenant("one.test");
    tenant.login = LoginConfig { password: false, ..LoginConfig::default() };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    let response = world.request(Method::GET, PAGE, None).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 404);
    let html = response.text().await.unwrap();
    assert!(html.contains("no login by password") && !html.contains("<form") && !html.contains("<script"), "{html}");
}
