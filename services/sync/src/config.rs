//! Configuration of the role.

use banyan_runtime::config::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much the role keeps, serves at a time and waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyncConfig {
    /// Bytes of recent log entries kept in memory, all shards together.
    pub tail_bytes: usize,
    /// Entries kept per shard.
    pub tail_entries: usize,
    /// Entries older than this are dropped from memory.
    pub tail_age: HumanDuration,
    /// Entries per shard that a process reads when it starts.
    pub start_entries: u64,
    /// Initial syncs that are made at a time.
    pub initial_syncs: usize,
    /// Initial syncs that may wait for their turn; more are answered 429.
    pub waiting_initial_syncs: usize,
    /// Long polls and syncs that are served at a time; more are answered 429.
    pub connections: usize,
    /// Rooms that one sync reads at a time.
    pub parallel_rooms: usize,
    /// Longest time that a sync waits for something to happen.
    pub max_timeout: HumanDuration,
    /// How long a sync waits for this process to reach the position of its token.
    pub catch_up: HumanDuration,
    /// How long a sync waits for push rules to be checked on the events that it tells: counts come with the events that move them.
    pub unread_wait: HumanDuration,
    /// How long the rooms of a user are kept current after the last request.
    pub warm: HumanDuration,
    /// Events of a room's timeline where the filter sets no limit.
    pub default_limit: usize,
    /// The same for rooms whose timeline goes on where the last response ended: a talk should have no holes for those who follow it.
    pub live_limit: usize,
    /// Events of a room's timeline at most.
    pub max_limit: usize,
    /// Devices whose lazily loaded members are remembered.
    pub lazy_devices: u64,
    /// Bytes of room state kept in memory.
    pub state_cache_bytes: u64,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            tail_bytes: 64 * 1024 * 1024,
            tail_entries: 8_192,
            tail_age: HumanDuration::secs(600),
            start_entries: 512,
            initial_syncs: 8,
            waiting_initial_syncs: 512,
            connections: 50_000,
            parallel_rooms: 32,
            max_timeout: HumanDuration::secs(120),
            catch_up: HumanDuration::secs(10),
            unread_wait: HumanDuration::millis(500),
            warm: HumanDuration::secs(120),
            default_limit: 10,
            live_limit: 50,
            max_limit: 500,
            lazy_devices: 10_000,
            state_cache_bytes: 32 << 20,
        }
    }
}
