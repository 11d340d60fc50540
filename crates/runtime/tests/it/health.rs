//! The admin listener of a process.

use banyan_testkit::process::until;
use serde_json::Value;

use crate::{
    cluster::{Installation, PATIENCE, Process, balanced},
    http::get,
};

async fn report(process: &Process) -> (u16, Value) {
    let (status, body) = get(process.admin_addr, "/health/ready").await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[tokio::test]
async fn it_is_ready_when_its_store_answers_and_its_shards_are_served() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    until("readiness", PATIENCE, async || (report(&a).await.0 == 200).then_some(())).await;
    assert_eq!(get(a.admin_addr, "/health/live").await.0, 200);

    installation.store.control().set_down(true);
    let body = until("the store to be missed", PATIENCE, async || {
        let (status, body) = report(&a).await;
        (status == 503).then_some(body)
    })
    .await;
    let missing: Vec<&str> = body["not_ready"].as_array().unwrap().iter().filter_map(|check| check["name"].as_str()).collect();
    assert!(missing.contains(&"store"), "{body}");
    assert_eq!(get(a.admin_addr, "/health/live").await.0, 200);

    installation.store.control().set_down(false);
    until("readiness again", PATIENCE, async || (report(&a).await.0 == 200).then_some(())).await;

    a.bus.cut_off(true);
    let body = until("the bus to be missed", PATIENCE, async || {
        let (status, body) = report(&a).await;
        assert_eq!(status, 200, "without the bus it is slower, not unready: {body}");
        let bus = body["checks"].as_array()?.iter().find(|check| check["name"] == "bus")?.clone();
        (bus["ready"] == false).then_some(bus)
    })
    .await;
    assert_eq!(body["reason"], "not connected");
}

#[tokio::test]
async fn it_is_not_ready_while_it_ends_and_answers_to_the_last() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    let blocker = a.context.shutdown.stopping(banyan_runtime::Stage::Admin);
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    a.context.shutdown.on(banyan_runtime::Stage::Background, "held by the test", move || {
        Box::pin(async move {
            let _ = held.await;
        })
    });
    a.context.shutdown.trigger();
    let body = until("it to be not ready", PATIENCE, async || {
        let (status, body) = report(&a).await;
        (status == 503).then_some(body)
    })
    .await;
    assert_eq!(body["ending"], true, "{body}");
    assert!(!blocker.is_cancelled());
    release.send(()).unwrap();
    a.end().await;
}

#[tokio::test]
async fn metrics_are_in_the_prometheus_format() {
    let installation = Installation::new();
    let a = installation.start().await;
    let (status, body) = get(a.admin_addr, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.lines().any(|line| line.starts_with("# TYPE target_info gauge")), "{body}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap();
    let error = banyan_runtime::grpc::bind(addr).await.unwrap_err().to_string();
    assert!(error.contains(&addr.to_string()) && error.contains("in use"), "{error}");
}
