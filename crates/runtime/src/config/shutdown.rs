//! How a process ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HumanDuration;

/// What happens at SIGTERM or SIGINT: the process stops accepting, finishes requests, hands its shards over, and exits. A second
/// signal ends it at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// How long the process still accepts requests after it said that it is not ready, so that load balancers can notice.
    pub announce: HumanDuration,
    /// How long each step may take: requests under way, handing shards over, background work. What is not done by then is cut off.
    pub drain_timeout: HumanDuration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { announce: HumanDuration::millis(0), drain_timeout: HumanDuration::secs(10) }
    }
}
