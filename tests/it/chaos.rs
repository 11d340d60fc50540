//! A cluster of two replicas of every role loses nothing when things break: while 20 rooms receive messages, processes are killed,
//! paused and restarted, and the bus goes away. Prints the stall that senders saw; asserts nothing about time.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use banyan_tests::{Cluster, Homeserver, Traffic};

const ROOMS: usize = 20;

/// Says how long senders stood still, to whoever watches the run: a test that passes keeps what it prints to itself.
async fn tell(traffic: &Traffic, what: &str) {
    let stall = traffic.longest_stall().await;
    let _ = writeln!(io::stderr(), "{what}: the longest stall of a sender was {stall:?}");
}

async fn told(traffic: &Traffic, what: &str) {
    traffic.progress(5).await;
    tell(traffic, what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_whatever_breaks() {
    let mut cluster = Cluster::start(2, &["chaos.test"]).await;
    let servers: Vec<Homeserver> = cluster.client_urls().iter().map(|url| Homeserver::new(url)).collect();
    let traffic = Traffic::start(&servers, ROOMS, "chaos").await.unwrap();
    traffic.progress(10).await;
    tell(&traffic, "nothing broken").await;

    // Each replica owns about half of the rooms' shards.
    cluster.replica("roomserver", 0).kill();
    told(&traffic, "kill -9 of an owner").await;
    cluster.replica("roomserver", 0).start().await;
    told(&traffic, "and its return").await;

    cluster.replica("roomserver", 1).pause();
    tokio::time::sleep(Duration::from_secs(10)).await;
    cluster.replica("roomserver", 1).resume();
    told(&traffic, "an owner paused for 10 s").await;

    cluster.nats.stop();
    tokio::time::sleep(Duration::from_secs(10)).await;
    told(&traffic, "NATS away for 10 s and more").await;
    cluster.nats.run().await;
    told(&traffic, "and its return").await;

    for n in 0..cluster.len() {
        cluster.node(n).stop().await;
        cluster.node(n).start().await;
    }
    told(&traffic, "every replica restarted, one by one").await;

    let messages = traffic.finish().await;
    let _ = writeln!(io::stderr(), "{messages} messages, each acknowledged and received once and in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_waits_for_its_store_and_recovers() {
    let mut cluster = Cluster::start(2, &["chaos.test"]).await;
    let server = Homeserver::new(&cluster.client_urls()[0]);
    let alice = server.register("alice").await.unwrap();
    let room = alice.create_room(&serde_json::json!({})).await.unwrap();
    alice.send(&room, "before", "before").await.unwrap();

    cluster.cassandra.kill();
    let refused = alice.send(&room, "during", "during").await.unwrap_err();
    assert_eq!(refused.status(), Some(503), "{refused}");
    assert!(refused.errcode().is_some(), "{refused}");
    assert!(!cluster.replica("client-api", 0).is_ready().await, "not ready without a store");

    cluster.cassandra.start_again().await;
    let sent = banyan_testkit::process::until("the installation to recover", Duration::from_secs(90), async || {
        alice.send(&room, "during", "during").await.ok()
    })
    .await;
    assert_eq!(alice.send(&room, "during", "during").await.unwrap(), sent, "the same transaction is the same event");
    alice.send(&room, "after", "after").await.unwrap();
}
