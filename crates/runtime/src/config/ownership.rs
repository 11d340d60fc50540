//! Timings of discovery and ownership.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HumanDuration;

/// How processes notice each other and share out the shards. The defaults are meant to stay; all processes should have the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnershipConfig {
    /// How often a process says on the bus that it is alive.
    pub heartbeat_interval: HumanDuration,
    /// How long a process must be silent before others ask it directly, and take over its shards if it does not answer.
    pub silence: HumanDuration,
    /// How long a process may take to answer that question.
    pub ping_timeout: HumanDuration,
    /// How many shards a process claims at the same time: bounds what it asks of the store.
    pub claim_parallelism: usize,
    /// How many shards a process hands over at the same time.
    pub handover_parallelism: usize,
    /// A shard that was handed over stays where it is for at least this long, unless its owner leaves.
    pub rebalance_interval: HumanDuration,
}

impl Default for OwnershipConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: HumanDuration::millis(300),
            silence: HumanDuration::millis(1500),
            ping_timeout: HumanDuration::millis(700),
            claim_parallelism: 8,
            handover_parallelism: 4,
            rebalance_interval: HumanDuration::secs(30),
        }
    }
}
