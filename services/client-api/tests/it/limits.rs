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
