//! Runs the client scripts in tests/clients and judges what they report.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

/// Which client library the two people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// matrix-js-sdk, on the Node.js that its package file pins.
    JsSdk,
    /// The same through sliding sync.
    JsSdkSliding,
    /// matrix-nio.
    Nio,
}

/// What the scripts print.
#[derive(Debug, Deserialize)]
struct Report {
    joined: BTreeMap<String, u64>,
    /// By receiver: event id, sender, text.
    received: BTreeMap<String, Vec<(String, String, String)>>,
}

/// Lets two people talk: Alice at base URL `alice`, Bob at `bob`, `messages` from each.
///
/// # Panics
///
/// If a script fails, or someone did not receive every message exactly once, in each sender's order, and in the same order as the
/// other person.
pub async fn two_people(library: Library, alice: &str, bob: &str, messages: usize, suffix: &str) {
    let sliding = library == Library::JsSdkSliding;
    let plan = json!({ "alice": alice, "bob": bob, "messages": messages, "suffix": suffix, "sliding": sliding }).to_string();
    let mut command = match library {
        Library::JsSdk | Library::JsSdkSliding => {
            let home = js_home();
            let mut command = Command::new(home.join("node_modules/.bin/node"));
            command.current_dir(home).arg("chat.mjs");
            command
        }
        Library::Nio => {
            let mut command = Command::new(nio_python());
            command.arg(clients().join("nio/chat.py"));
            command
        }
    };
    let output = command.arg(&plan).kill_on_drop(true).output().await.expect("the script starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{library:?} failed: {}\n{stdout}\n{said}", output.status);
    // Libraries log to standard output too; the report is its last line.
    let report: Report = serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("a report");
    judge(&report, messages);
}

fn judge(report: &Report, messages: usize) {
    let people: Vec<&String> = report.received.keys().collect();
    assert_eq!(people.len(), 2, "two people were expected: {people:?}");
    assert!(report.joined.values().all(|joined| *joined == 2), "both should see two joined: {:?}", report.joined);
    for (receiver, received) in &report.received {
        for sender in &people {
            let texts: Vec<&str> =
                received.iter().filter(|(_, from, _)| from == *sender).map(|(_, _, text)| text.as_str()).collect();
            let expected: Vec<String> = (0..messages).map(|n| format!("{sender} {n}")).collect();
            assert_eq!(texts, expected, "what {receiver} received from {sender}");
        }
    }
    let orders: Vec<Vec<&String>> = report.received.values().map(|received| received.iter().map(|(id, ..)| id).collect()).collect();
    assert_eq!(orders[0], orders[1], "both should see the room in the same order");
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Installs what package-lock.json pins, once.
pub(crate) fn js_home() -> PathBuf {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = clients().join("js");
        let lock = std::fs::read(home.join("package-lock.json")).expect("package-lock.json");
        let marker = home.join("node_modules/.installed-from");
        if std::fs::read(&marker).ok().as_ref() != Some(&lock) {
            run(
                std::process::Command::new("npm").current_dir(&home).args([
                    "ci",
                    "--no-audit",
                    "--no-fund",
                    "--ignore-scripts=false",
                    "--omit=",
                ]),
                "npm ci",
            );
            std::fs::write(marker, lock).expect("a marker");
        }
        home
    })
    .clone()
}

/// Makes a virtual environment of what requirements.txt pins, once.
fn nio_python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let home = banyan_testkit::cache_dir().join("nio");
            let wanted = std::fs::read(clients().join("nio/requirements.txt")).expect("requirements.txt");
            let marker = home.join("installed-from");
            let python = home.join("bin/python");
            if std::fs::read(&marker).ok().as_ref() != Some(&wanted) {
                run(std::process::Command::new("python3").args(["-m", "venv"]).arg(&home), "python3 -m venv");
                let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
                let mut install = std::process::Command::new(&python);
                // Settings that make sense outside a virtual environment, and fail inside one.
                install.env("PIP_USER", "0").env_remove("PIP_TARGET").env_remove("PIP_PREFIX");
                run(install.args(pip).arg(clients().join("nio/requirements.txt")), "pip install");
                std::fs::write(marker, wanted).expect("a marker");
            }
            python
        })
        .clone()
}

fn run(command: &mut std::process::Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what} cannot be started: {error}; see tests/prerequisites"));
    assert!(output.status.success(), "{what} failed: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(alice: &[usize], bob: &[usize]) -> Report {
        let people = ["@a:x".to_owned(), "@b:x".to_owned()];
        let message = |n: &usize| (format!("${n}"), people[n % 2].clone(), format!("{} {}", people[n % 2], n / 2));
        let received = [alice, bob].map(|order| order.iter().map(message).collect());
        let received = people.clone().into_iter().zip(received);
        Report { joined: people.iter().map(|person| (person.clone(), 2)).collect(), received: received.collect() }
    }

    #[test]
    fn a_good_report_is_accepted() {
        judge(&report(&[0, 1, 2, 3], &[0, 1, 2, 3]), 2);
    }

    #[test]
    #[should_panic(expected = "what @b:x received")]
    fn a_doubled_message_is_noticed() {
        judge(&report(&[0, 1, 2, 3], &[0, 1, 2, 2, 3]), 2);
    }

    #[test]
    #[should_panic(expected = "what @a:x received")]
    fn a_lost_message_is_noticed() {
        judge(&report(&[0, 1, 3], &[0, 1, 2, 3]), 2);
    }

    #[test]
    #[should_panic(expected = "in the same order")]
    fn different_orders_are_noticed() {
        judge(&report(&[0, 1, 2, 3], &[1, 0, 2, 3]), 2);
    }
}
