//! Where fetched servers and clients are kept between runs.

use std::path::{Path, PathBuf};

/// `$BANYAN_TEST_CACHE`, or `.cache` in the workspace. It is made if it does not exist.
///
/// # Panics
/// If it cannot be made.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
pub fn cache_dir() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache");
    let dir = std::env::var("BANYAN_TEST_CACHE").map_or(workspace, PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("cannot make {}: {error}", dir.display()));
    dir
}
