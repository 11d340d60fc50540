//! Accounts by command line: the first administrator, and a password that was forgotten.

use std::fs;

use banyan_tests::{Common, Node, node::run_to_end};
use reqwest::Method;
use serde_json::{Value, json};

async fn log_in(node: &Node, user: &str, password: &str) -> Result<Value, Option<u16>> {
    let body = json!({ "type": "m.login.password", "identifier": { "type": "m.id.user", "user": user }, "password": password });
    let answer = node.homeserver().request(Method::POST, "/_matrix/client/v3/login", None, Some(&body)).await;
    answer.map_err(|error| error.status())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_makes_accounts_and_sets_passwords() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), "between us\n").unwrap();
    let mut common = Common::embedded(&dir.path().join("data")).cheap_passwords();
    common.0.push_str("\n[[tenants]]\nserver_name = \"one.test\"\nhosts = [\"*\"]\nregistration.shared_secret_file = \"secret\"\n");
    let mut node = Node::new("banyan", dir.path(), &[], &common);
    let config = node.config_file().display().to_string();
    let run = |arguments: &[&str], password: &str| {
        fs::write(dir.path().join("password"), password).unwrap();
        let rest = ["--password-file", "password", "--config", &config];
        run_to_end(&[&["user"], arguments, &rest].concat(), dir.path()).unwrap()
    };
    let (code, output) = run(&["create", "root", "--admin"], "first\n");
    assert!(code == Some(1) && output.contains("is the homeserver running?"), "{output}");

    node.start().await;
    assert_eq!(run(&["create", "root", "--admin"], "first\n"), (Some(0), "made the administrator @root:one.test\n".to_owned()));
    assert_eq!(run(&["create", "alice"], "old"), (Some(0), "made the user @alice:one.test\n".to_owned()));
    let (code, output) = run(&["create", "alice"], "other");
    assert!(code == Some(1) && output.contains("M_USER_IN_USE"), "{output}");

    let alice = log_in(&node, "alice", "old").await.unwrap();
    let root = log_in(&node, "root", "first").await.unwrap();
    let reset = ["reset-password", "alice", "--token-file", "token"];
    fs::write(dir.path().join("token"), alice["access_token"].as_str().unwrap()).unwrap();
    let (code, output) = run(&reset, "new");
    assert!(code == Some(1) && output.contains("M_FORBIDDEN"), "{output}");
    fs::write(dir.path().join("token"), root["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(run(&reset, "new"), (Some(0), "@alice:one.test has the new password\n".to_owned()));
    assert_eq!(log_in(&node, "alice", "old").await.unwrap_err(), Some(403));
    log_in(&node, "alice", "new").await.unwrap();
    let token = alice["access_token"].as_str();
    let old = node.homeserver().request(Method::GET, "/_matrix/client/v3/account/whoami", token, None).await;
    assert_eq!(old.unwrap_err().status(), Some(401), "the old sessions are over");
    node.stop().await;
}
