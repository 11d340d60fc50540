//! Logs, traces and metrics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HumanDuration;

/// Libraries that tell at `info` what only their authors want to know are held to warnings.
const DEFAULT_FILTER: &str = "info,fjall=warn,lsm_tree=warn,opentelemetry=warn,ruma_state_res=warn,scylla=warn,async_nats=warn";

/// Logs, traces and metrics. Prometheus metrics are always served at /metrics of `node.admin_listen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Form of the log lines on standard error: `human` or `json`.
    pub log_format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or a comma-separated list of `target=level`.
    pub log_filter: String,
    /// OpenTelemetry export of traces and metrics.
    pub otlp: OtlpConfig,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: LogFormat::Human, log_filter: DEFAULT_FILTER.to_owned(), otlp: OtlpConfig::default() }
    }
}

/// Forms of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// OpenTelemetry export by OTLP over gRPC. Off unless an endpoint is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpConfig {
    /// The collector, for example `http://127.0.0.1:4317`.
    pub endpoint: Option<String>,
    /// The share of traces that are recorded, from 0 to 1. A caller's decision is followed.
    pub sample_ratio: f64,
    /// How often metrics are sent.
    pub metrics_interval: HumanDuration,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 0.01, metrics_interval: HumanDuration::secs(30) }
    }
}
