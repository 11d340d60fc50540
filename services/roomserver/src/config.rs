//! What an operator may set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomserverConfig {
    /// Rooms of one shard that stay in memory; the one idle for longest makes room.
    pub loaded_rooms_per_shard: u64,
    /// Bytes of events of all shards that stay in memory.
    pub event_cache_bytes: u64,
    /// Bytes of state nodes of all rooms that stay in memory.
    pub state_cache_bytes: u64,
    /// Commands of one shard whose answers stay in memory, for retries.
    pub remembered_commands_per_shard: u64,
}

impl Default for RoomserverConfig {
    fn default() -> Self {
        Self {
            loaded_rooms_per_shard: 2_000,
            event_cache_bytes: 64 << 20,
            state_cache_bytes: 64 << 20,
            remembered_commands_per_shard: 10_000,
        }
    }
}
