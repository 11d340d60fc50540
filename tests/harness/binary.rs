//! Where the program under test is.

use std::path::PathBuf;

/// `$BANYAN_BIN`, or the `banyan` that was built beside this program.
///
/// # Panics
/// If there is none.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
pub fn banyan() -> PathBuf {
    if let Ok(path) = std::env::var("BANYAN_BIN") {
        return PathBuf::from(path);
    }
    // target/<profile>/deps/it-… or target/<profile>/cluster
    let own = std::env::current_exe().expect("the path of this program");
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join("banyan")).find(|path| path.is_file());
    found.expect("banyan is not built: run `cargo build --bin banyan` with the same profile first, or set BANYAN_BIN")
}
