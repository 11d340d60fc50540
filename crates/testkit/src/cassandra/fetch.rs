//! Fetches Cassandra with Maven, once per cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::cache_dir;

const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassandra/pom.xml");
const FOLDER: &str = "cassandra-5.0.6";

/// The folder with Cassandra's jars.
///
/// # Panics
/// If Maven is missing or cannot fetch them.
pub(super) fn jars() -> PathBuf {
    let jars = cache_dir().join(FOLDER);
    if jars.exists() {
        return jars;
    }
    // Several test binaries may start at once.
    let lock = File::create(cache_dir().join(format!("{FOLDER}.lock"))).expect("a lock file in the cache");
    lock.lock().expect("the cache's lock");
    if !jars.exists() {
        fetch(&jars);
    }
    jars
}

fn fetch(jars: &Path) {
    let new = jars.with_extension("new");
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&new);
    eprintln!("fetching Cassandra (66 MB) into {}", jars.display());
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file", POM, "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", new.display()))
        .output()
        .unwrap_or_else(|error| panic!("these tests need Maven (mvn: {error}): on Debian and Ubuntu, apt-get install maven"));
    assert!(
        output.status.success(),
        "Maven could not fetch Cassandra:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&new, jars).expect("the fetched jars in their place");
}

/// The Java that Cassandra runs on.
///
/// # Panics
/// If there is none of version 11 or 17.
#[expect(clippy::disallowed_methods, reason = "where Java is, the environment says")]
pub(super) fn java() -> PathBuf {
    const REMEDY: &str = "on Debian and Ubuntu, apt-get install openjdk-17-jre-headless, or point JAVA_HOME at one";
    let java = std::env::var("JAVA_HOME").map_or_else(|_| PathBuf::from("java"), |home| Path::new(&home).join("bin/java"));
    let output = Command::new(&java).arg("-version").output();
    let output = output.unwrap_or_else(|error| panic!("these tests need Java 17 ({}: {error}): {REMEDY}", java.display()));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text.split('"').nth(1).and_then(|version| version.split('.').next()).unwrap_or_default();
    assert!(["11", "17"].contains(&version), "these tests need Java 17, and {} is {text}: {REMEDY}", java.display());
    java
}
