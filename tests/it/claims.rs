//! One-time keys are claimed once, whoever asks where.

use std::collections::{BTreeMap, HashSet};

use banyan_tests::{Cluster, Common, Homeserver, Node, Session};
use futures::future::join_all;
use serde_json::{Value, json};

/// Keys that Alice's device has, and claims by all connections together.
const KEYS: usize = 500;
const CLAIMS: usize = 1_000;
const CONNECTIONS: usize = 20;
const FALLBACK: &str = "signed_curve25519:fallback";

/// Uploads the one-time keys, a hundred at a time, and a fallback key.
async fn upload(alice: &Session) {
    let key = |id: &str| json!({"key": format!("key of {id}"), "signatures": {}});
    let ids: Vec<String> = (0..KEYS).map(|n| format!("signed_curve25519:k{n}")).collect();
    for ids in ids.chunks(100) {
        let keys: BTreeMap<&String, Value> = ids.iter().map(|id| (id, key(id))).collect();
        alice.post("/_matrix/client/v3/keys/upload", &json!({ "one_time_keys": keys })).await.unwrap();
    }
    let mut fallback = key(FALLBACK);
    fallback["fallback"] = json!(true);
    let body = json!({"fallback_keys": {FALLBACK: fallback}});
    let answer = alice.post("/_matrix/client/v3/keys/upload", &body).await.unwrap();
    assert_eq!(answer["one_time_key_counts"]["signed_curve25519"], KEYS, "{answer}");
}

/// The key that a claim gets.
async fn claim(claimer: &Session, alice: &Session) -> String {
    let wanted = json!({"one_time_keys": {&alice.user_id: {&alice.device_id: "signed_curve25519"}}});
    let answer = claimer.post("/_matrix/client/v3/keys/claim", &wanted).await.unwrap();
    let keys = answer["one_time_keys"][&alice.user_id][&alice.device_id].as_object().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(keys.len(), 1, "{answer}");
    let (id, key) = keys.iter().next().unwrap();
    assert_eq!(key["key"], format!("key of {id}"));
    id.clone()
}

/// Many claim at once, each by a connection of its own, one half here and the other there.
async fn claims(one: &Homeserver, other: &Homeserver) {
    let alice = one.register("alice").await.unwrap();
    upload(&alice).await;
    let bob = one.register("bob").await.unwrap();
    let addresses = [one.base(), other.base()];
    let claimers = (0..CONNECTIONS).map(|n| bob.at(&Homeserver::new(addresses[n % 2])));
    let claimed = claimers.map(async |claimer| {
        let mut got = Vec::new();
        for _ in 0..CLAIMS / CONNECTIONS {
            got.push(claim(&claimer, &alice).await);
        }
        got
    });
    let got: Vec<String> = join_all(claimed).await.into_iter().flatten().collect();
    assert_eq!(got.len(), CLAIMS);
    let once: Vec<&String> = got.iter().filter(|id| *id != FALLBACK).collect();
    assert_eq!(once.len(), KEYS, "the rest get the fallback key");
    assert_eq!(once.iter().collect::<HashSet<_>>().len(), KEYS, "a key was given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_claimed_once_from_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).cheap_passwords().tenant("keys.test", true);
    let mut node = Node::new("banyan", dir.path(), &[], &common);
    node.start().await;
    claims(&node.homeserver(), &node.homeserver()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_claimed_once_from_a_cluster() {
    let cluster = Cluster::start(2, &["keys.test"]).await;
    let urls = cluster.client_urls();
    claims(&Homeserver::new(&urls[0]), &Homeserver::new(&urls[1])).await;
}
