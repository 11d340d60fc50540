//! Logs, traces and metrics of the process.

pub mod causes;
mod lines;
pub mod propagation;
mod setup;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::{Encoder, Registry, TextEncoder};

pub use setup::{TelemetryError, init, trace_layer};

/// The handles on metrics and traces. Clones share them.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Metrics of this process in the Prometheus text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded; the text says which.
    pub fn prometheus_text(&self) -> Result<String, String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut text).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }

    /// Sends what has not been sent yet and ends all export. Blocks until that is done or has failed.
    pub fn flush(&self) {
        if let Some(tracers) = &self.0.tracers
            && let Err(error) = tracers.shutdown()
        {
            tracing::warn!(%error, "the last spans were not sent");
        }
        if let Err(error) = self.0.meters.shutdown() {
            tracing::warn!(%error, "the last metrics were not sent");
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("traces", &self.0.tracers.is_some()).finish_non_exhaustive()
    }
}
