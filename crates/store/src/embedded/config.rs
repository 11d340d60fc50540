//! What can be set.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded store: everything in one directory, for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// The data directory. It is made if there is none; a directory with anything else in it is refused.
    pub path: PathBuf,
    /// Bytes of memory for blocks read from disk. Default 16 MiB.
    #[serde(default = "sixteen_mib")]
    pub cache_bytes: u64,
    /// Bytes of memory that new rows may take, in each of the two databases, before they are sorted to disk. Default 16 MiB.
    #[serde(default = "sixteen_mib")]
    pub memtable_bytes: u64,
    /// Bytes that must stay free on the disk: with less, writes are refused as if the disk were full, so that the background work that
    /// frees space never runs out of it. Default 128 MiB.
    #[serde(default = "reserve")]
    pub reserve_bytes: u64,
}

impl EmbeddedConfig {
    /// The defaults, in `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache_bytes: sixteen_mib(), memtable_bytes: sixteen_mib(), reserve_bytes: reserve() }
    }
}

const fn sixteen_mib() -> u64 {
    16 << 20
}

const fn reserve() -> u64 {
    128 << 20
}
