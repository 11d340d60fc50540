//! What is measured.

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram},
};

/// The instruments of all logs of a process.
pub(crate) struct Metrics {
    /// Entries per committed batch.
    pub(crate) batch_entries: Histogram<u64>,
    /// Seconds from sending a batch to its commit.
    pub(crate) commit_seconds: Histogram<f64>,
    /// Entries waiting for their place.
    pub(crate) queued: Gauge<u64>,
    /// Entries committed and not applied.
    pub(crate) applied_lag: Gauge<u64>,
    /// Appends whose outcome was unknown at first.
    pub(crate) unknown_outcomes: Counter<u64>,
    /// Proposals refused because too much was waiting.
    pub(crate) overloaded: Counter<u64>,
    /// Rows that could not be derived or written. Any is an alarm.
    pub(crate) parked_rows: Counter<u64>,
    /// Promises that the store broke. Any is an alarm.
    pub(crate) damages: Counter<u64>,
    /// Entries applied and not seen by a follower.
    pub(crate) follower_lag: Gauge<u64>,
    /// Times that a follower had to ask the store for what the bus should have brought.
    pub(crate) follower_gaps: Counter<u64>,
    /// Times that a follower saw a hole and read again.
    pub(crate) follower_holes: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("banyan");
        Self {
            batch_entries: meter
                .u64_histogram("banyan.log.batch.entries")
                .with_description("Entries per committed batch")
                .with_boundaries(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
                .build(),
            commit_seconds: meter
                .f64_histogram("banyan.log.commit")
                .with_unit("s")
                .with_description("Time to commit a batch")
                .with_boundaries(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
                .build(),
            queued: meter.u64_gauge("banyan.log.queued").with_description("Entries waiting for their place in a log").build(),
            applied_lag: meter
                .u64_gauge("banyan.log.applied.lag")
                .with_description("Entries committed and not yet applied")
                .build(),
            unknown_outcomes: meter
                .u64_counter("banyan.log.unknown_outcomes")
                .with_description("Appends whose outcome was unknown at first")
                .build(),
            overloaded: meter
                .u64_counter("banyan.log.overloaded")
                .with_description("Proposals refused because too much was waiting")
                .build(),
            parked_rows: meter
                .u64_counter("banyan.log.parked_rows")
                .with_description("Rows that could not be derived or written; any is an alarm")
                .build(),
            damages: meter
                .u64_counter("banyan.log.damages")
                .with_description("Promises that the store broke; any is an alarm")
                .build(),
            follower_lag: meter
                .u64_gauge("banyan.log.follower.lag")
                .with_description("Entries applied and not yet seen by a follower")
                .build(),
            follower_gaps: meter
                .u64_counter("banyan.log.follower.gaps")
                .with_description("Times a follower asked the store for what the bus should have brought")
                .build(),
            follower_holes: meter
                .u64_counter("banyan.log.follower.holes")
                .with_description("Times a follower saw a hole and read again")
                .build(),
        }
    }
}

/// The attribute that names a log.
pub(crate) fn log_attribute(log: banyan_core::LogId) -> [KeyValue; 1] {
    [KeyValue::new("log", log.to_string())]
}
