//! Runs tests/clients/js/oauth.mjs and sso.mjs, and judges what they report.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::chat::js_home;

/// Has somebody sign in to an app by the OAuth 2.0 API, at the base URL that the server is reached by.
///
/// # Panics
/// If the script fails, or a session was there when it should not be, or not when it should.
pub async fn sign_in(base_url: &str, suffix: &str) {
    judge(&run("oauth.mjs", &json!({ "base_url": base_url, "suffix": suffix })).await, suffix);
}

/// Has people of an upstream provider, run at `provider_port` with the client `banyan`, sign in at the provider's id `corp`.
///
/// # Panics
/// If the script fails, or somebody came to the account of another.
pub async fn sign_in_upstream(base_url: &str, provider_port: u16) {
    let report = run("sso.mjs", &json!({ "base_url": base_url, "provider_port": provider_port })).await;
    let user = |name: &str| report["users"][name].as_str().unwrap_or_default().to_owned();
    assert!(user("first").starts_with("@carol:") && user("first") == user("again"), "{report}");
    assert!(user("other").starts_with("@caroline:"), "{report}");
    assert_eq!(
        (&report["provider"], &report["taken"], &report["stranger"]),
        (&json!("corp"), &json!(400), &json!(400)),
        "{report}"
    );
    for (what, status) in [("mixed", 400), ("issuer", 400), ("refused", 403), ("code", 503)] {
        let wrong = &report["wrong"][what];
        assert_eq!((&wrong["status"], &wrong["again"]), (&json!(status), &json!(400)), "{what}: {report}");
    }
    assert_eq!(report["wrong"]["refused"]["goesOn"], true, "whoever changed their mind is not sent astray: {report}");
}

/// What a script reports.
async fn run(script: &str, plan: &Value) -> Value {
    let home = js_home();
    let mut command = Command::new(home.join("node_modules/.bin/node"));
    command.current_dir(home).arg(script).arg(plan.to_string());
    let output = command.kill_on_drop(true).output().await.expect("the script starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed: {}\n{stdout}\n{said}", output.status);
    // The library logs to standard output too; the report is its last line.
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("a report")
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
