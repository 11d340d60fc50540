//! What is special to NATS: servers that come, go, hang and want to know who asks.

use std::io::Write as _;

use banyan_bus::{Bus, BusConfig, BusError, BusKind, NatsBus, NatsConfig, Subscription, open};
use banyan_testkit::{nats::Nats, process::until};
use futures::StreamExt;

use crate::{PATIENCE, message, text};

pub(crate) async fn connected(bus: &dyn Bus) {
    until("a connection", PATIENCE, async || bus.is_connected().then_some(())).await;
}

async fn disconnected(bus: &dyn Bus) {
    until("the loss of the connection to be noticed", PATIENCE, async || (!bus.is_connected()).then_some(())).await;
}

/// Publishes until something arrives.
async fn gets_through(bus: &dyn Bus, subscription: &mut Subscription) {
    until("a message to get through", PATIENCE, async || {
        let _ = bus.publish(message("rm.1", "through")).await;
        let soon = std::time::Duration::from_millis(50);
        tokio::time::timeout(soon, subscription.next()).await.ok().flatten().filter(|message| text(message) == "through")
    })
    .await;
}

fn config(server: &Nats) -> NatsConfig {
    NatsConfig { servers: vec![server.url()], ..NatsConfig::default() }
}

fn secret(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{text}").unwrap();
    file
}

#[tokio::test]
async fn it_opens_without_a_server_and_connects_when_there_is_one() {
    let mut server = Nats::stopped().await;
    let bus = open(&BusConfig { kind: BusKind::Nats, nats: config(&server) }).await.unwrap();
    let mut subscription = bus.subscribe("rm.*").await.unwrap();
    assert!(!bus.is_connected());
    assert!(matches!(bus.publish(message("rm.1", "lost")).await, Err(BusError::Unavailable(_))));
    server.run().await;
    connected(&*bus).await;
    gets_through(&*bus, &mut subscription).await;
}

#[tokio::test]
async fn subscriptions_survive_a_restart_of_the_server() {
    let mut server = Nats::start().await;
    let bus = NatsBus::open(&config(&server)).await.unwrap();
    connected(&bus).await;
    let mut subscription = bus.subscribe("rm.*").await.unwrap();
    for _ in 0..2 {
        server.stop();
        disconnected(&bus).await;
        assert!(matches!(bus.publish(message("rm.1", "lost")).await, Err(BusError::Unavailable(_))));
        server.run().await;
        connected(&bus).await;
        gets_through(&bus, &mut subscription).await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed() {
    let server = Nats::start().await;
    let bus = NatsBus::open(&config(&server)).await.unwrap();
    connected(&bus).await;
    let mut subscription = bus.subscribe("rm.*").await.unwrap();
    server.pause();
    disconnected(&bus).await;
    server.resume();
    connected(&bus).await;
    gets_through(&bus, &mut subscription).await;
}

#[tokio::test]
async fn it_logs_in_with_a_password_or_a_token_from_a_file() {
    let server = Nats::start_with_password("banyan", "sesame").await;
    let right = secret("sesame");
    let by_password =
        NatsConfig { user: Some("banyan".to_owned()), password_file: Some(right.path().to_owned()), ..config(&server) };
    let bus = NatsBus::open(&by_password).await.unwrap();
    connected(&bus).await;
    let mut subscription = bus.subscribe("rm.1").await.unwrap();
    gets_through(&bus, &mut subscription).await;

    let server = Nats::start_with_token("open sesame").await;
    let token = secret("open sesame");
    let bus = NatsBus::open(&NatsConfig { token_file: Some(token.path().to_owned()), ..config(&server) }).await.unwrap();
    connected(&bus).await;
    let mut subscription = bus.subscribe("rm.1").await.unwrap();
    gets_through(&bus, &mut subscription).await;
}
