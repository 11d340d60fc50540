//! What the role reports about itself.

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, UpDownCounter},
};

/// Counters of the role.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    loaded: UpDownCounter<i64>,
    commands: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("banyan");
        Self {
            loaded: meter.i64_up_down_counter("banyan.roomserver.rooms").with_description("Rooms held in memory.").build(),
            commands: meter.u64_counter("banyan.roomserver.commands").with_description("Commands, by name and outcome.").build(),
        }
    }

    pub(crate) fn loaded(&self, by: i64) {
        self.loaded.add(by, &[]);
    }

    pub(crate) fn command(&self, name: &'static str, ok: bool) {
        let outcome = if ok { "ok" } else { "error" };
        self.commands.add(1, &[KeyValue::new("command", name), KeyValue::new("outcome", outcome)]);
    }
}
