//! Two server names in one installation: the Host header picks one, and their users share a room that is stored once.

use std::time::Duration;

use banyan_tests::{Common, Homeserver, Node, Session};
use serde_json::{Value, json};

async fn installation(dir: &std::path::Path) -> (Node, Homeserver, Homeserver) {
    let common = Common::embedded(&dir.join("data")).cheap_passwords().tenant("one.test", false).tenant("two.test", false);
    let mut node = Node::new("banyan", dir, &[], &common);
    node.start().await;
    let server = node.homeserver();
    let (one, two) = (server.with_host("one.test"), server.with_host("two.test"));
    (node, one, two)
}

async fn timeline(session: &Session, room: &str) -> Vec<Value> {
    let answer = session.sync("", Duration::ZERO, None).await.unwrap();
    answer["rooms"]["join"][room]["timeline"]["events"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let (node, ..) = installation(dir.path()).await;
    for host in ["three.test", "127.0.0.1"] {
        let answer = node.homeserver().with_host(host).request(reqwest::Method::GET, "/_matrix/client/versions", None, None).await;
        let error = answer.unwrap_err();
        assert_eq!(error.status(), Some(404), "{error}");
        assert!(error.errcode().is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_belongs_to_one_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let (_node, one, two) = installation(dir.path()).await;
    let alice = one.register("alice").await.unwrap();
    assert_eq!(alice.user_id, "@alice:one.test");
    assert_eq!(two.register("alice").await.unwrap().user_id, "@alice:two.test", "the name is free in the other tenant");
    let elsewhere = alice.at(&two).get("/_matrix/client/v3/account/whoami").await.unwrap_err();
    assert_eq!((elsewhere.status(), elsewhere.errcode()), (Some(401), Some("M_UNKNOWN_TOKEN")));
    assert!(one.login("bob").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_two_tenants_share_a_room() {
    let dir = tempfile::tempdir().unwrap();
    let (mut node, one, two) = installation(dir.path()).await;
    let alice = one.register("alice").await.unwrap();
    let bob = two.register("bob").await.unwrap();
    let room = alice.create_room(&json!({ "preset": "private_chat", "name": "Shared" })).await.unwrap();
    assert_eq!(bob.join(&room).await.unwrap_err().errcode(), Some("M_FORBIDDEN"), "not invited yet");
    alice.invite(&room, &bob.user_id).await.unwrap();
    let invited = bob.sync("", Duration::ZERO, None).await.unwrap();
    assert!(invited["rooms"]["invite"][&room].is_object(), "{invited}");
    bob.join(&room).await.unwrap();
    let first = alice.send(&room, "1", "from one").await.unwrap();
    let second = bob.send(&room, "1", "from two").await.unwrap();
    for person in [&alice, &bob] {
        let events = timeline(person, &room).await;
        let ids: Vec<_> = events.iter().filter(|event| event["type"] == "m.room.message").map(|event| &event["event_id"]).collect();
        assert_eq!(ids, [&json!(first), &json!(second)], "{} sees both, in order", person.user_id);
    }
    // A server ACL that names the other tenant holds without HTTP between them.
    let acl = json!({ "allow": ["*"], "deny": ["two.test"], "allow_ip_literals": false });
    alice.put(&format!("/_matrix/client/v3/rooms/{room}/state/m.room.server_acl"), &acl).await.unwrap();
    assert_eq!(bob.send(&room, "2", "denied").await.unwrap_err().errcode(), Some("M_FORBIDDEN"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_has_its_own_signing_key() {
    let dir = tempfile::tempdir().unwrap();
    let (node, ..) = installation(dir.path()).await;
    let federation = Homeserver::new(&node.federation_url());
    let mut keys = Vec::new();
    for name in ["one.test", "two.test"] {
        let answer = federation.with_host(name).request(reqwest::Method::GET, "/_matrix/key/v2/server", None, None).await.unwrap();
        assert_eq!(answer["server_name"], name);
        assert!(answer["signatures"][name].is_object(), "{answer}");
        keys.push(answer["verify_keys"].clone());
    }
    assert_ne!(keys[0], keys[1]);
}
