use std::time::Duration;

use banyan_client_api::ClientApiConfig;
use banyan_core::ServiceError;
use banyan_tenants::config::RateLimit;
use serde_json::json;

use crate::world::{World, assert_error, open_tenant};

async fn limited() -> World {
    let mut tenant = open_tenant("one.test");
    tenant.rate_limits.enabled = true;
    let rare = RateLimit { per_second: 0.001, burst: 2 };
    tenant.rate_limits.message = rare;
    World::with(vec![tenant], ClientApiConfig::default()).await
}

#[tokio::test]
async fn too_many_messages_are_refused_with_the_time_to_wait() {
    let world = limited().await;
    let path = |n: u32| format!("/_matrix/client/v3/rooms/!r:one.test/send/m.x/{n}");
    for n in 0..2 {
        assert_eq!(world.put(&path(n), json!({})).await.0.as_u16(), 200);
    }
    let refused = world.put(&path(3), json!({})).await;
    assert_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.1["retry_after_ms"].as_u64().unwrap() > 1000);
    assert_eq!(world.get("/_matrix/client/v3/account/whoami").await.0.as_u16(), 200, "other limits are others");
}

#[tokio::test]
async fn too_many_wrong_passwords_are_told_with_the_time_to_wait() {
    let world = limited().await;
    world.fakes.fail("Login", ServiceError::limit_exceeded("Too many failed logins", Duration::from_secs(7)));
    let login = json!({"type": "m.login.password", "user": "alice", "password": "p"});
    let refused = world.post_as(None, "/_matrix/client/v3/login", login).await;
    assert_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert_eq!(refused.1["retry_after_ms"], 7000);
}

/// A login at one of two replicas.
async fn log_in(world: &World, n: usize) -> reqwest::Response {
    let address = [world.address, world.other][n % 2];
    let body = json!({"type": "m.login.password", "user": "alice", "password": "p"});
    let request = reqwest::Client::new().post(format!("http://{address}/_matrix/client/v3/login")).header("host", "one.test");
    request.body(body.to_string()).send().await.unwrap()
}

#[tokio::test]
async fn replicas_count_logins_together() {
    let mut tenant = open_tenant("one.test");
    tenant.rate_limits.enabled = true;
    tenant.rate_limits.login = RateLimit { per_second: 0.001, burst: 6 };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    let answers = futures::future::join_all((0..12).map(|n| log_in(&world, n))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status().as_u16() == 200).count(), 6);
    world.fakes.take();
    for n in 0..2 {
        let refused = log_in(&world, n).await;
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=1_000).contains(&wait), "{wait}");
        let body: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(body["errcode"], "M_LIMIT_EXCEEDED");
    }
    assert!(world.fakes.take().is_empty());
    assert_eq!(world.get("/_matrix/client/v3/account/whoami").await.0.as_u16(), 200, "other limits are others");
}
