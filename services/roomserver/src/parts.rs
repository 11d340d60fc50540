//! What the role is built from.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use banyan_bus::Bus;
use banyan_core::{Clock, Entropy, ShardCount};
use banyan_log::Logs;
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
    /// Where it is told who types.
    pub bus: Arc<dyn Bus>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How many room shards there are.
    pub shards: ShardCount,
    /// The server names of this installation.
    pub tenants: Tenants,
    /// The logs, to follow those that are owned and those of users.
    pub logs: Logs,
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
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shards: ShardCount,
    pub(crate) tenants: Tenants,
    pub(crate) signers: Signers,
    pub(crate) reader: RoomReader,
    pub(crate) users: UserReader,
    pub(crate) config: RoomserverConfig,
    /// When the last room was made, in milliseconds.
    last_room: AtomicU64,
}

impl Shared {
    pub(crate) fn new(parts: RoomserverParts) -> Result<Self, SetupError> {
        Ok(Self {
            bus: parts.bus,
            signers: Signers::of(&parts.tenants)?,
            users: UserReader::new(parts.store.clone()),
            reader: RoomReader::new(parts.store, parts.config.state_cache_bytes),
            clock: parts.clock,
            entropy: parts.entropy,
            shards: parts.shards,
            tenants: parts.tenants,
            config: parts.config,
            last_room: AtomicU64::new(0),
        })
    }

    /// Now, in milliseconds, for the first event of a room. Never the same twice: two such events that differ in nothing would be one
    /// room. (Other processes do not matter: those of one user are made by one roomserver.)
    pub(crate) fn room_timestamp(&self) -> u64 {
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let next = |last: u64| now.max(last + 1);
        // The closure never declines.
        let last = self.last_room.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
        next(last.unwrap_or_else(|last| last))
    }
}
