//! What the role counts.

use opentelemetry::{KeyValue, global, metrics::Counter};

/// The role's instruments.
pub(crate) struct Metrics {
    registrations: Counter<u64>,
    logins: Counter<u64>,
    to_device_dropped: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("banyan");
        Self {
            registrations: meter.u64_counter("banyan.users.registrations").with_description("Accounts made").build(),
            logins: meter.u64_counter("banyan.users.logins").with_description("Logins by password, by outcome").build(),
            to_device_dropped: meter
                .u64_counter("banyan.users.to_device.dropped")
                .with_description("Messages to devices dropped because too many waited")
                .build(),
        }
    }

    pub(crate) fn registered(&self, tenant: &str) {
        self.registrations.add(1, &[KeyValue::new("tenant", tenant.to_owned())]);
    }

    pub(crate) fn logged_in(&self, tenant: &str, ok: bool) {
        let outcome = if ok { "ok" } else { "refused" };
        self.logins.add(1, &[KeyValue::new("tenant", tenant.to_owned()), KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn to_device_dropped(&self, messages: usize) {
        self.to_device_dropped.add(messages as u64, &[]);
    }
}
