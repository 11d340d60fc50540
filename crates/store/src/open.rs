//! Opens the store that the configuration names.

use std::sync::Arc;

use banyan_core::{Clock, Entropy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError, Table,
    cql::{CqlConfig, CqlStore},
    embedded::{EmbeddedConfig, EmbeddedStore},
    memory::MemoryStore,
    metered::Metered,
};

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StoreConfig {
    /// In a directory of this machine: for `banyan serve` with all roles in one process.
    Embedded(EmbeddedConfig),
    /// In ScyllaDB or Apache Cassandra: for any number of processes.
    Cql(CqlConfig),
    /// In memory: everything is gone when the process ends. For tests.
    Memory,
}

impl Default for StoreConfig {
    /// Embedded, in `data` of the working directory.
    fn default() -> Self {
        Self::Embedded(EmbeddedConfig::new("data"))
    }
}

impl StoreConfig {
    /// Whether several processes can have it at once.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Cql(_))
    }
}

/// Opens a store for these tables, those of all crates that will use it.
///
/// # Errors
/// [`StoreError::Setup`] if something must be put right first; the text says what. [`StoreError::Unavailable`] if a database does not
/// answer (yet).
pub async fn open(
    config: StoreConfig,
    tables: &'static [&'static Table],
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<dyn Store>, StoreError> {
    match config {
        StoreConfig::Memory => {
            let store = MemoryStore::new(tables, Arc::clone(&clock), entropy.next_u64())?;
            Ok(Arc::new(Metered::new(store, clock)))
        }
        StoreConfig::Embedded(config) => {
            let opened = Arc::clone(&clock);
            let open = move || EmbeddedStore::open(config, tables, opened, &*entropy);
            let store = tokio::task::spawn_blocking(open).await;
            let store = store.map_err(|error| StoreError::Setup(format!("opening the data directory broke off: {error}")))??;
            Ok(Arc::new(Metered::new(store, clock)))
        }
        StoreConfig::Cql(config) => {
            let store = CqlStore::connect(&config, tables, &*entropy).await?;
            Ok(Arc::new(Metered::new(store, clock)))
        }
    }
}
