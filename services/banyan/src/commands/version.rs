//! `banyan version`

/// Prints the version.
pub(super) fn run() {
    println!("banyan {}", env!("CARGO_PKG_VERSION"));
}
