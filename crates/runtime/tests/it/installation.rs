//! The number of shards is fixed at the first start.

use std::sync::Arc;

use banyan_bus::{Faults, FaultyBus};
use banyan_core::ShardCount;
use banyan_runtime::{InstallationError, Parts, Runtime, StartError};
use banyan_testkit::process::until;

use crate::{
    cluster::{Installation, PATIENCE, SHARDS, Special},
    http::get,
};

fn parts(installation: &Installation, shards: Option<u16>) -> Parts {
    let bus = FaultyBus::new(Arc::new(installation.bus.clone()), 1, Faults::default());
    let shards = shards.map(|count| ShardCount::new(count).unwrap());
    Parts { shards, ..installation.parts(bus, &Special::default()) }
}

#[tokio::test]
async fn the_first_start_decides() {
    let installation = Installation::new();
    let first = Runtime::prepare(parts(&installation, Some(SHARDS))).await.unwrap();
    assert_eq!(first.context().shards.get(), SHARDS);
    let later = Runtime::prepare(parts(&installation, None)).await.unwrap();
    assert_eq!(later.context().shards.get(), SHARDS);
    let error = Runtime::prepare(parts(&installation, Some(32))).await.unwrap_err();
    assert!(matches!(error, StartError::Installation(InstallationError::ShardCount { stored: 16, configured: 32 })), "{error}");
}

#[tokio::test]
async fn two_first_starts_at_once_agree() {
    let installation = Installation::new();
    let (a, b) = tokio::join!(Runtime::prepare(parts(&installation, Some(16))), Runtime::prepare(parts(&installation, Some(32))));
    let counts: Vec<u16> = [a, b].into_iter().filter_map(Result::ok).map(|runtime| runtime.context().shards.get()).collect();
    assert_eq!(counts.len(), 1, "one of the two numbers holds, and the other start is refused");
}

#[tokio::test]
async fn a_store_that_is_not_there_yet_is_waited_for() {
    let installation = Installation::new();
    installation.store.control().set_down(true);
    let mut parts = parts(&installation, Some(SHARDS));
    let admin = banyan_testkit::ports::free_port();
    parts.config.node.admin_listen = ([127, 0, 0, 1], admin).into();
    let starting = tokio::spawn(Runtime::prepare(parts));
    until("the admin listener", PATIENCE, async || tokio::net::TcpStream::connect(("127.0.0.1", admin)).await.ok().map(drop)).await;
    assert_eq!(get(([127, 0, 0, 1], admin).into(), "/health/ready").await.0, 503);
    assert!(!starting.is_finished());
    installation.store.control().set_down(false);
    assert_eq!(starting.await.unwrap().unwrap().context().shards.get(), SHARDS);
}

#[tokio::test]
async fn an_address_nobody_can_reach_is_refused() {
    let installation = Installation::new();
    let mut parts = parts(&installation, None);
    parts.config.node.listen = ([0, 0, 0, 0], 0).into();
    let error = Runtime::prepare(parts).await.unwrap_err().to_string();
    assert!(error.contains("node.advertise"), "{error}");
}
