//! What the role is built from.

use std::sync::Arc;

use banyan_core::{Clock, Entropy, ShardCount};
use banyan_rooms::reader::RoomReader;
use banyan_store::Store;
use banyan_tenants::Tenants;
use banyan_users::UserReader;

use crate::{RoomserverConfig, signers::Signers};

/// What [`crate::Roomserver::new`] takes.
#[derive(Clone)]
pub struct RoomserverParts {
    /// Tables.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How many room shards there are.
    pub shards: ShardCount,
    /// The server names of this installation.
    pub tenants: Tenants,
    /// Settings.
    pub config: RoomserverConfig,
}

impl std::fmt::Debug for RoomserverParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomserverParts").field("shards", &self.shards).field("config", &self.config).finish_non_exhaustive()
    }
}

/// The role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A tenant's signing key cannot be used.
    #[error("tenant {tenant}: {problem}")]
    SigningKey {
        /// Whose key.
        tenant: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What all shards and commands share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shards: ShardCount,
    pub(crate) tenants: Tenants,
    pub(crate) signers: Signers,
    pub(crate) reader: RoomReader,
    pub(crate) users: UserReader,
    pub(crate) config: RoomserverConfig,
}

impl Shared {
    pub(crate) fn new(parts: RoomserverParts) -> Result<Self, SetupError> {
        Ok(Self {
            signers: Signers::of(&parts.tenants)?,
            users: UserReader::new(parts.store.clone()),
            reader: RoomReader::new(parts.store, parts.config.state_cache_bytes),
            clock: parts.clock,
            entropy: parts.entropy,
            shards: parts.shards,
            tenants: parts.tenants,
            config: parts.config,
        })
    }
}
