//! Runs tests/clients/js/encrypted.mjs and dehydrated.mjs, and judges what they report.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::chat::js_home;

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Report {
    /// The two people.
    senders: Vec<String>,
    /// By device, what it could read: event id, sender, text.
    received: BTreeMap<String, Vec<(String, String, String)>>,
}

/// Lets two people with two devices each talk in an encrypted room: Alice at base URL `alice`, Bob at `bob`, `messages` from each.
///
/// # Panics
/// If the script fails, or a device could not read every message exactly once and in each sender's order.
pub async fn two_people(alice: &str, bob: &str, messages: usize, suffix: &str) {
    let plan = json!({ "alice": alice, "bob": bob, "messages": messages, "suffix": suffix });
    let report: Report = report_of("encrypted.mjs", &plan).await;
    judge(&report, messages);
}

/// What Bob said while Alice had nothing but a dehydrated device, and what her next device could read of it.
#[derive(Debug, Deserialize)]
struct Restored {
    said: Vec<String>,
    read: Vec<String>,
}

/// Lets Alice leave a dehydrated device behind and restore it after Bob has sent `messages`.
///
/// # Panics
/// If the script fails, or her new device could not read every message exactly once and in order.
pub async fn restored(alice: &str, bob: &str, messages: usize, suffix: &str) {
    let plan = json!({ "alice": alice, "bob": bob, "messages": messages, "suffix": suffix });
    let report: Restored = report_of("dehydrated.mjs", &plan).await;
    assert_eq!((report.said.len(), &report.read), (messages, &report.said));
}

/// Runs a script; what it reports.
async fn report_of<T: DeserializeOwned>(script: &str, plan: &Value) -> T {
    let home = js_home();
    let mut command = Command::new(home.join("node_modules/.bin/node"));
    command.current_dir(home).arg(script).arg(plan.to_string());
    let output = command.kill_on_drop(true).output().await.expect("the script starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed: {}\n{stdout}\n{said}", output.status);
    // The library logs to standard output too; the report is its last line.
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("a report")
}

fn judge(report: &Report, messages: usize) {
    assert_eq!((report.senders.len(), report.received.len()), (2, 4), "two people with two devices each: {report:?}");
    for (device, received) in &report.received {
        for sender in &report.senders {
            let texts: Vec<&str> =
                received.iter().filter(|(_, from, _)| from == sender).map(|(_, _, text)| text.as_str()).collect();
            let expected: Vec<String> = (0..messages).map(|n| format!("{sender} {n}")).collect();
            assert_eq!(texts, expected, "what {device} could read from {sender}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lost: Option<usize>) -> Report {
        let senders = vec!["@a:x".to_owned(), "@b:x".to_owned()];
        let message = |n: usize| (format!("${n}"), senders[n % 2].clone(), format!("{} {}", senders[n % 2], n / 2));
        let all: Vec<_> = (0..4).filter(|n| lost != Some(*n)).map(message).collect();
        let received = ["phone", "laptop", "tablet", "watch"].map(|device| (device.to_owned(), all.clone()));
        Report { senders, received: received.into() }
    }

    #[test]
    fn a_good_report_is_accepted() {
        judge(&report(None), 2);
    }

    #[test]
    #[should_panic(expected = "could read from @b:x")]
    fn a_message_that_could_not_be_read_is_noticed() {
        judge(&report(Some(1)), 2);
    }
}
