use std::path::Path;

use axum::body::Body;
use banyan_core::{ManualClock, SeededEntropy, TimestampMicros};
use banyan_http::{Edge, EdgeLayers as _};
use banyan_store::memory::MemoryStore;
use banyan_tenants::{ServerKey, Tenant, TenantConfig, config::OldVerifyKeyConfig};
use http::{Method, Request, StatusCode};
use ruma::{
    CanonicalJsonObject,
    serde::Base64,
    signatures::{PublicKeyMap, PublicKeySet, verify_json},
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

const NOW_MILLIS: i64 = 1_800_000_000_000;

fn federation() -> Federation {
    let entropy = SeededEntropy::new(1);
    let old = ServerKey::generate(&entropy);
    let first = TenantConfig {
        federation_server: Some("fed.one.example:443".to_owned()),
        old_verify_keys: vec![OldVerifyKeyConfig {
            key_id: "ed25519:old".to_owned(),
            public_key: old.public_base64(),
            expired_ts: 7,
        }],
        ..TenantConfig::new("one.example")
    };
    let tenants =
        [first, TenantConfig::new("two.example")].map(|config| Tenant::new(config, ServerKey::generate(&entropy)).unwrap());
    let tenants = Tenants::new(tenants.into()).unwrap();
    let clock = Arc::new(ManualClock::new(TimestampMicros(NOW_MILLIS * 1000)));
    let store = MemoryStore::new(banyan_users::TABLES, clock.clone(), 1).unwrap();
    let openid_tokens = ShortTokens::for_openid(Arc::new(store), clock.clone(), Arc::new(SeededEntropy::new(3)));
    Federation { tenants, clock, openid_tokens, validity: Duration::from_secs(3600 * 24 * 365) }
}

async fn call(method: Method, host: &str, path: &str) -> (StatusCode, Value) {
    ask(&federation(), method, host, path).await
}

async fn ask(federation: &Federation, method: Method, host: &str, path: &str) -> (StatusCode, Value) {
    let edge = Edge {
        clock: federation.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(2)),
        body_limit: 1024,
        trusted_proxies: Arc::new([]),
        cors: false,
    };
    let router = routes(federation, Duration::from_secs(60)).with_edge(edge);
    let request = Request::builder().method(method).uri(path).header("host", host).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn every_tenant_publishes_its_own_keys_signed_by_them() {
    let federation = federation();
    for name in ["one.example", "two.example"] {
        let (status, body) = call(Method::GET, &format!("{name}:8448"), "/_matrix/key/v2/server").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["server_name"], name);
        let tenant = federation.tenants.get(name).unwrap();
        let key = &body["verify_keys"][tenant.key().id()]["key"];
        assert_eq!(*key, tenant.key().public_base64());
        // A year was asked for; receivers use no more than a week.
        assert_eq!(body["valid_until_ts"], NOW_MILLIS + 7 * 24 * 3600 * 1000);
        let set = PublicKeySet::from([(tenant.key().id(), Base64::parse(key.as_str().unwrap()).unwrap())]);
        let object: CanonicalJsonObject = serde_json::from_value(body).unwrap();
        verify_json(&PublicKeyMap::from([(name.to_owned(), set)]), &object).unwrap();
    }
    let (_, body) = call(Method::GET, "one.example", "/_matrix/key/v2/server").await;
    assert_eq!(body["old_verify_keys"]["ed25519:old"]["expired_ts"], 7);
    let (_, body) = call(Method::GET, "two.example", "/_matrix/key/v2/server").await;
    assert_eq!(body["old_verify_keys"], serde_json::json!({}));
}

#[tokio::test]
async fn the_version_and_the_well_known_document_are_answered() {
    let (status, body) = call(Method::GET, "one.example", "/_matrix/federation/v1/version").await;
    assert_eq!((status, &body["server"]["name"]), (StatusCode::OK, &Value::from("Banyan")));
    let (_, body) = call(Method::GET, "one.example", "/.well-known/matrix/server").await;
    assert_eq!(body["m.server"], "fed.one.example:443");
    let (status, body) = call(Method::GET, "two.example", "/.well-known/matrix/server").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::NOT_FOUND, &Value::from("M_NOT_FOUND")));
}

#[tokio::test]
async fn an_unknown_host_is_404() {
    for path in ["/_matrix/key/v2/server", "/_matrix/federation/v1/version", "/.well-known/matrix/server"] {
        let (status, body) = call(Method::GET, "three.example", path).await;
        assert_eq!((status, &body["errcode"]), (StatusCode::NOT_FOUND, &Value::from("M_NOT_FOUND")), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_unrecognized() {
    for endpoint in endpoints::of(Api::Federation) {
        let path = endpoint.path.replace(['{', '}'], "x");
        if let Some(file) = endpoint.served_by {
            assert!(handler(endpoint).is_some(), "{path}");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http").join(file);
            assert!(file.is_file(), "{}", file.display());
            let (status, body) = call(Method::DELETE, "one.example", &path).await;
            assert_eq!((status, &body["errcode"]), (StatusCode::METHOD_NOT_ALLOWED, &Value::from("M_UNRECOGNIZED")), "{path}");
        } else {
            assert!(handler(endpoint).is_none(), "{path}");
            let (status, body) = call(endpoint.verb.into(), "one.example", &path).await;
            assert_eq!((status, &body["errcode"]), (StatusCode::NOT_FOUND, &Value::from("M_UNRECOGNIZED")), "{path}");
        }
    }
}

#[tokio::test]
async fn an_openid_token_says_who_somebody_is_until_it_ends() {
    const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";
    let federation = federation();
    let token = federation.openid_tokens.issue("one.example", "@alice:one.example").await.unwrap();
    let path = format!("{USERINFO}?access_token={token}");
    let (status, body) = ask(&federation, Method::GET, "one.example", &path).await;
    assert_eq!((status, &body["sub"]), (StatusCode::OK, &Value::from("@alice:one.example")));
    for (host, path, errcode) in [
        ("two.example", path.as_str(), "M_UNKNOWN_TOKEN"),
        ("one.example", "/_matrix/federation/v1/openid/userinfo?access_token=made-up", "M_UNKNOWN_TOKEN"),
        ("one.example", USERINFO, "M_MISSING_TOKEN"),
    ] {
        let (status, body) = ask(&federation, Method::GET, host, path).await;
        assert_eq!((status, &body["errcode"]), (StatusCode::UNAUTHORIZED, &Value::from(errcode)), "{host} {path}");
    }
}
