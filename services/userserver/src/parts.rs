//! What the role is built from.

use std::sync::Arc;

use banyan_core::{Clock, Entropy, ShardCount};
use banyan_log::Logs;
use banyan_rooms::reader::RoomReader;
use banyan_store::Store;
use banyan_tenants::Tenants;
use banyan_users::{Passwords, UserReader};

use crate::{UserserverConfig, attempts::Attempts, calls::TellRooms, fan_out::FanOut, metrics::Metrics};

/// What [`crate::Userserver::new`] takes.
#[derive(Clone)]
pub struct UserserverParts {
    /// Tables.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How many user shards there are.
    pub shards: ShardCount,
    /// The server names of this installation.
    pub tenants: Tenants,
    /// The logs, to follow those that are owned.
    pub logs: Logs,
    /// Which rooms users are in.
    pub rooms: RoomReader,
    /// The owners of rooms.
    pub tell: Arc<dyn TellRooms>,
    /// Settings.
    pub config: UserserverConfig,
}

impl std::fmt::Debug for UserserverParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserserverParts").field("shards", &self.shards).field("config", &self.config).finish_non_exhaustive()
    }
}

/// The role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An option is wrong.
    #[error("userserver.passwords: {0}")]
    Passwords(String),
}

/// What all shards and commands share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shards: ShardCount,
    pub(crate) tenants: Tenants,
    pub(crate) reader: UserReader,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    pub(crate) metrics: Metrics,
    pub(crate) rooms: RoomReader,
    pub(crate) tell: Arc<dyn TellRooms>,
    pub(crate) fan_out: FanOut,
}

impl Shared {
    pub(crate) fn new(parts: UserserverParts) -> Result<Self, SetupError> {
        let passwords = Passwords::new(&parts.config.passwords, parts.entropy.clone()).map_err(SetupError::Passwords)?;
        Ok(Self {
            reader: UserReader::new(parts.store),
            passwords,
            attempts: Attempts::new(parts.clock.clone()),
            clock: parts.clock,
            entropy: parts.entropy,
            shards: parts.shards,
            tenants: parts.tenants,
            metrics: Metrics::new(),
            rooms: parts.rooms.clone(),
            tell: parts.tell.clone(),
            fan_out: FanOut { logs: parts.logs, rooms: parts.rooms, tell: parts.tell },
        })
    }
}
