//! docs/operations.md says what is true: its list of metrics is that of the source, and its messages are the program's own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use banyan_testkit::process::until;
use banyan_tests::{Common, Homeserver, Node, node::run_to_end};
use serde_json::json;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn operations() -> String {
    fs::read_to_string(workspace().join("docs/operations.md")).unwrap()
}

/// Kind by name, as Prometheus has them, from the rows `| name | kind | …`.
fn documented() -> BTreeMap<String, String> {
    let text = operations();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split_once("` | "));
    let rows = rows.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" | ")?.0.to_owned())));
    rows.filter(|(_, kind)| ["counter", "gauge", "histogram"].contains(&kind.as_str())).collect()
}

/// The same from the calls that make instruments.
fn in_source() -> BTreeMap<String, String> {
    let mut metrics = BTreeMap::new();
    for dir in ["crates", "services", "proto"] {
        visit(&workspace().join(dir), &mut |text| {
            for (at, _) in text.match_indices("(\"") {
                let before = &text[text[..at].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |end| end + 1)..at];
                let kind = match before {
                    _ if before == "observe_cache" || before.ends_with("gauge") || before.ends_with("up_down_counter") => "gauge",
                    _ if before.ends_with("64_histogram") => "histogram",
                    _ if before.ends_with("64_counter") => "counter",
                    _ => continue,
                };
                let call = &text[at + 2..];
                let name = call.split('"').next().unwrap();
                let until_build = call.split(".build()").next().unwrap();
                let unit = match until_build.split_once("with_unit(\"").map(|(_, unit)| unit.split('"').next().unwrap()) {
                    Some("s") => "_seconds",
                    Some("By") => "_bytes",
                    None if before == "observe_cache" => "_bytes",
                    None => "",
                    Some(other) => panic!("{name}: what does Prometheus call the unit {other}?"),
                };
                let total = if kind == "counter" { "_total" } else { "" };
                metrics.insert(format!("{}{unit}{total}", name.replace('.', "_")), kind.to_owned());
            }
        });
    }
    metrics
}

/// Reads every source file but tests and examples.
fn visit(dir: &Path, read: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["tests", "examples", "target"].contains(&name) {
                visit(&path, read);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            read(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
}

#[test]
fn every_metric_is_documented() {
    let (documented, source) = (documented(), in_source());
    assert!(source.len() > 20, "{source:?}");
    assert_eq!(documented, source, "docs/operations.md (left) and the source (right)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exposed_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).cheap_passwords().tenant("metrics.test", true);
    let mut node = Node::new("banyan", dir.path(), &[], &common);
    node.start().await;
    let alice = node.homeserver().register("alice").await.unwrap();
    let room = alice.create_room(&json!({})).await.unwrap();
    alice.send(&room, "1", "hello").await.unwrap();
    let documented = documented();
    let admin = Homeserver::new(&node.admin_url());
    until("metrics of a message", std::time::Duration::from_secs(20), async || {
        let text = admin.request(reqwest::Method::GET, "/metrics", None, None).await.unwrap();
        let types: BTreeMap<String, String> = text
            .as_str()
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split_once(' '))
            .filter(|(name, _)| *name != "target_info")
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect();
        for (name, kind) in &types {
            assert_eq!(documented.get(name), Some(kind), "{name} in docs/operations.md");
        }
        types.contains_key("banyan_log_commit_seconds").then_some(())
    })
    .await;
    node.stop().await;
}

/// The block of text after `heading` that begins with ```text.
fn block(heading: &str) -> String {
    let text = operations();
    let section = text.split_once(heading).unwrap_or_else(|| panic!("no {heading:?}")).1;
    let block = section.split_once("```text\n").unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_mistakes_of_a_configuration_are_told_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let mistaken = operations().split_once("```toml mistakes\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    fs::write(dir.path().join("banyan.toml"), mistaken).unwrap();
    let (code, output) = run_to_end(&["check-config", "--config", "banyan.toml"], dir.path()).unwrap();
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(output, block("### Checking a configuration"));
}
