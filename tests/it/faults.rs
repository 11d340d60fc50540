//! When a process cannot start it says why, once and clearly, and ends with a non-zero code; what was acknowledged survives a kill.

use std::{fs, net::TcpListener, path::Path, time::Duration};

use banyan_testkit::process::Process;
use banyan_tests::{Common, Node, node::run_to_end};
use serde_json::json;

fn common(dir: &Path) -> Common {
    Common::embedded(&dir.join("data")).cheap_passwords().tenant("fault.test", true)
}

/// Starts a process that must end by itself with an error; gives what it printed.
async fn fails(node: &mut Node) -> String {
    node.spawn();
    let status = Process::wait(node.process(), Duration::from_secs(60)).await;
    let output = node.output();
    assert!(!status.success(), "it should not have started:\n{output}");
    assert!(!output.contains("panicked"), "{output}");
    output
}

fn says(output: &str, words: &[&str]) {
    let last = output.lines().rev().find(|line| line.starts_with("banyan: ")).unwrap_or_else(|| panic!("no message:\n{output}"));
    let message = &output[output.find(last).unwrap_or(0)..];
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::new("banyan", dir.path(), &[], &common(dir.path()));
    let address = node.client_url().trim_start_matches("http://").to_owned();
    let _taken = TcpListener::bind(&address).unwrap();
    says(&fails(&mut node).await, &[&address, "in use"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Node::new("first", dir.path(), &[], &common(dir.path()));
    first.start().await;
    let mut second = Node::new("second", dir.path(), &[], &common(dir.path()));
    let output = fails(&mut second).await;
    says(&output, &[dir.path().join("data").to_str().unwrap()]);
    assert!(first.is_ready().await, "the first goes on");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("thesis.txt"), "years of work").unwrap();
    let mut node = Node::new("banyan", dir.path(), &[], &common(dir.path()));
    says(&fails(&mut node).await, &[data.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(data.join("thesis.txt")).unwrap(), "years of work");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing was added");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::new("banyan", dir.path(), &[], &common(dir.path()));
    node.start().await;
    node.stop().await;
    damage(&dir.path().join("data"));
    says(&fails(&mut node).await, &[dir.path().join("data").to_str().unwrap()]);
}

/// Overwrites the beginning of every file.
fn damage(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else {
            let mut bytes = fs::read(&path).unwrap();
            let end = bytes.len().min(64);
            bytes[..end].fill(0xA5);
            fs::write(&path, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).with("").0
        + "\n[[tenants]]\nserver_name = \"fault.test\"\nsigning_key_file = \"/nowhere/signing.key\"\n";
    let mut node = Node::new("banyan", dir.path(), &[], &Common(common));
    says(&fails(&mut node).await, &["fault.test", "signing_key_file", "/nowhere/signing.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_recovered_from() {
    let dir = tempfile::tempdir().unwrap();
    // More than any disk has: every write is refused as on a full one.
    let full = format!("[store]\nkind = \"embedded\"\npath = {:?}\nreserve_bytes = {}\n", dir.path().join("data"), i64::MAX);
    let mut node = Node::new("banyan", dir.path(), &[], &Common(full).tenant("fault.test", true));
    let output = fails(&mut node).await;
    says(&output, &["disk is full"]);
    let mut node = Node::new("again", dir.path(), &[], &common(dir.path()));
    node.start().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::new("banyan", dir.path(), &[], &common(dir.path()));
    node.start().await;
    let alice = node.homeserver().register("alice").await.unwrap();
    let room = alice.create_room(&json!({ "name": "Kept" })).await.unwrap();
    let mut sent = Vec::new();
    for n in 0..50 {
        sent.push(alice.send(&room, &format!("t{n}"), &n.to_string()).await.unwrap());
    }
    node.kill();
    node.start().await;
    let answer = alice.get(&format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100")).await.unwrap();
    let mut kept: Vec<_> = answer["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message").collect();
    kept.reverse();
    let kept: Vec<_> = kept.into_iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!(kept, sent);
    assert_eq!(alice.send(&room, "t49", "49").await.unwrap(), sent[49], "a transaction is known after a restart");
    node.stop().await;
}

#[test]
fn every_mistake_of_a_configuration_is_explained_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[node]\nlisten = \"nowhere\"\nlissten = 1\n\n[telemetry]\nlog_format = \"xml\"\n";
    fs::write(dir.path().join("banyan.toml"), text).unwrap();
    let (code, output) = run_to_end(&["check-config", "--config", "banyan.toml"], dir.path()).unwrap();
    assert_eq!(code, Some(1), "{output}");
    for word in ["node.listen", "lissten", "telemetry.log_format"] {
        assert!(output.contains(word), "{word} is not in:\n{output}");
    }
}

#[test]
fn the_example_configuration_is_good_once_it_has_a_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let (code, example) = run_to_end(&["config", "example"], dir.path()).unwrap();
    assert_eq!(code, Some(0));
    fs::write(dir.path().join("banyan.toml"), format!("{example}\n[[tenants]]\nserver_name = \"example.org\"\n")).unwrap();
    let (code, output) = run_to_end(&["check-config", "--config", "banyan.toml"], dir.path()).unwrap();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("example.org"), "{output}");
}

#[test]
fn the_version_is_told() {
    let (code, output) = run_to_end(&["version"], Path::new(".")).unwrap();
    assert_eq!((code, output.trim()), (Some(0), format!("banyan {}", env!("CARGO_PKG_VERSION")).as_str()));
}
