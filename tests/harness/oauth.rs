//! Runs tests/clients/js/oauth.mjs and judges what it reports.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::chat::js_home;

/// Has somebody sign in to an app by the OAuth 2.0 API, at the base URL that the server is reached by.
///
/// # Panics
/// If the script fails, or a session was there when it should not be, or not when it should.
pub async fn sign_in(base_url: &str, suffix: &str) {
    let plan = json!({ "base_url": base_url, "suffix": suffix }).to_string();
    let home = js_home();
    let mut command = Command::new(home.join("node_modules/.bin/node"));
    command.current_dir(home).arg("oauth.mjs").arg(&plan);
    let output = command.kill_on_drop(true).output().await.expect("the script starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed: {}\n{stdout}\n{said}", output.status);
    // The library logs to standard output too; the report is its last line.
    let report: Value = serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("a report");
    judge(&report, suffix);
}

fn judge(report: &Value, suffix: &str) {
    let user_id = report["user_id"].as_str().unwrap_or_default();
    assert!(user_id.starts_with(&format!("@oauth-{suffix}:")), "{report}");
    let devices = &report["devices"];
    assert!(devices["first"] == devices["chosen"] && devices["again"] == devices["chosen"], "the app's device: {report}");
    assert_eq!(devices["second"], "TELEVISION", "{report}");
    for (what, status) in [("replayed", 400), ("ended", 401), ("old", 400), ("unused", 401), ("signed_out", 401), ("revoked", 401)]
    {
        assert_eq!(report[what], status, "{what}: {report}");
    }
}
