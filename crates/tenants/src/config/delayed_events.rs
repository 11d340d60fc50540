//! Events that are to be sent later.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Delayed events (MSC4140). Either option at 0 switches them off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DelayedEventsConfig {
    /// How long an event may be delayed at most, in milliseconds.
    pub max_delay_ms: u64,
    /// How many events of one user may wait at a time.
    pub max_scheduled: usize,
}

impl DelayedEventsConfig {
    /// Whether there are any.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.max_delay_ms > 0 && self.max_scheduled > 0
    }
}

impl Default for DelayedEventsConfig {
    fn default() -> Self {
        Self { max_delay_ms: 24 * 60 * 60 * 1000, max_scheduled: 100 }
    }
}
