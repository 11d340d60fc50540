//! The embedded store: one process, one directory, fjall inside.

mod committer;
mod config;
mod databases;
mod derived;
mod directory;
mod encoding;
mod journal;
mod logs;
mod promises;
mod purge;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use banyan_core::{Clock, Entropy};

pub use self::config::EmbeddedConfig;
use self::{
    committer::Committer,
    databases::{Databases, Probe, ROWS, Slot, free_bytes},
    derived::{Batches, Syncer},
    directory::Directory,
};
use crate::{StoreError, Table, check::Tables, conditional::Conditional};

/// The store. Dropping the last clone finishes what was begun, syncs and releases the directory.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Inner>);

// The order of fields is the order of the end: first the writers, then the databases.
struct Inner {
    promises: Committer<Conditional>,
    derived: Committer<Batches>,
    syncer: Syncer,
    slot: Arc<Slot>,
    tables: Tables,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.0.slot.directory().path()).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the directory, or makes it. Blocks for some milliseconds, longer after a crash.
    ///
    /// # Errors
    /// [`StoreError::Setup`] if another process uses it, if it is someone else's, damaged, or of a newer format;
    /// [`StoreError::DiskFull`].
    pub fn open(
        config: EmbeddedConfig,
        tables: &[&'static Table],
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Result<Self, StoreError> {
        Self::open_with(config, tables, clock, entropy, Box::new(free_bytes))
    }

    fn open_with(
        config: EmbeddedConfig,
        tables: &[&'static Table],
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        free: Probe,
    ) -> Result<Self, StoreError> {
        let tables = Tables::new(tables)?;
        let directory = Directory::open(&config.path, entropy)?;
        let slot = Arc::new(Slot::open(directory, config, clock, free)?);
        let thread = |error| StoreError::Setup(format!("no thread for the store: {error}"));
        Ok(Self(Arc::new(Inner {
            promises: Committer::start("store-log", Arc::clone(&slot)).map_err(thread)?,
            derived: Committer::start("store-rows", Arc::clone(&slot)).map_err(thread)?,
            syncer: Syncer::start(slot.directory().part(ROWS)).map_err(thread)?,
            slot,
            tables,
        })))
    }

    /// The id that was drawn when the directory was made.
    #[must_use]
    pub fn installation(&self) -> &str {
        self.0.slot.directory().installation()
    }

    /// Reads here and now: a point read takes microseconds.
    fn read_here<T>(&self, read: impl FnOnce(&Databases) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.slot.with(read)
    }

    /// Reads on a thread that may block.
    async fn read_apart<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Databases) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = Arc::clone(&self.0.slot);
        let joined = tokio::task::spawn_blocking(move || slot.with(read)).await;
        joined.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a read was broken off: {error}"))))
    }
}
