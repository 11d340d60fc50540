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

/// The Java that Cassandra runs on: `$JAVA_HOME`, the one on the path, or one where systems keep theirs, whichever is of version 11
/// or 17.
///
/// # Panics
/// If there is none.
#[expect(clippy::disallowed_methods, reason = "where Java is, the environment says")]
pub(super) fn java() -> PathBuf {
    const REMEDY: &str = "on Debian and Ubuntu, apt-get install openjdk-17-jre-headless, or point JAVA_HOME at one";
    let home = std::env::var("JAVA_HOME").ok().map(|home| Path::new(&home).join("bin/java"));
    let mut candidates: Vec<PathBuf> = home.into_iter().chain([PathBuf::from("java")]).collect();
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    candidates.extend(installed.map(|entry| entry.path().join("bin/java")));
    let mut found = String::new();
    for java in candidates {
        let Ok(output) = Command::new(&java).arg("-version").output() else { continue };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if ["11", "17"].contains(&major_version(&text)) {
            return java;
        }
        found.push_str(&format!("{}: {text}", java.display()));
    }
    panic!("these tests need Java 17 (or 11): {REMEDY}\n{found}");
}

/// The number in what `java -version` prints. Before it a JVM may say which options it picked up, whatever is in them.
fn major_version(text: &str) -> &str {
    let version = text.lines().find_map(|line| line.split_once(" version \""));
    version.and_then(|(_, version)| version.split(['.', '"', '-']).next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_java_is_read() {
        assert_eq!(major_version("openjdk version \"17.0.21\" 2026-11-17\nOpenJDK Runtime"), "17");
        assert_eq!(major_version("Picked up JAVA_TOOL_OPTIONS: -Da=\"b c\"\nopenjdk version \"11\" 2018-09-25\n"), "11");
        assert_eq!(major_version("java version \"25-ea\" 2025-09-16\n"), "25");
        assert_eq!(major_version("no such thing"), "");
    }
}
