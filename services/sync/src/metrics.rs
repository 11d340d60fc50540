//! Figures of the role.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, UpDownCounter},
};

/// The role's instruments. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    tail_bytes: Gauge<u64>,
    warm_users: Gauge<u64>,
    wakes: Counter<u64>,
    polls: UpDownCounter<i64>,
    responses: Counter<u64>,
    refused: Counter<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let meter = opentelemetry::global::meter("banyan");
        Self {
            tail_bytes: meter
                .u64_gauge("banyan_sync_tail")
                .with_unit("By")
                .with_description("Recent log entries in memory")
                .build(),
            warm_users: meter.u64_gauge("banyan_sync_warm_users").with_description("Users whose rooms are kept current").build(),
            wakes: meter.u64_counter("banyan_sync_wakes").with_description("Users woken by an entry").build(),
            polls: meter.i64_up_down_counter("banyan_sync_requests").with_description("Syncs under way").build(),
            responses: meter.u64_counter("banyan_sync_responses").with_description("Syncs answered, by kind").build(),
            refused: meter.u64_counter("banyan_sync_refused").with_description("Syncs answered 429").build(),
        }
    }
}

impl Metrics {
    pub(crate) fn tails(&self, bytes: usize, users: usize) {
        self.tail_bytes.record(bytes as u64, &[]);
        self.warm_users.record(users as u64, &[]);
    }

    pub(crate) fn woken(&self, users: usize) {
        if users > 0 {
            self.wakes.add(users as u64, &[]);
        }
    }

    pub(crate) fn request(&self, by: i64) {
        self.polls.add(by, &[]);
    }

    pub(crate) fn answered(&self, kind: &'static str) {
        self.responses.add(1, &[KeyValue::new("kind", kind)]);
    }

    pub(crate) fn refused(&self) {
        self.refused.add(1, &[]);
    }
}
