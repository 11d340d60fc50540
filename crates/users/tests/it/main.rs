//! Users over a store: what entries become, what readers see, and the sessions that replicas share.

mod applying;
mod oauth;
mod shared_secret;
mod short_token;
mod sso;
mod uia;

use std::{sync::Arc, time::Duration};

use banyan_core::{ManualClock, SeededEntropy, TimestampMicros};
use banyan_store::memory::{Faults, MemoryStore};
use banyan_users::TABLES;

/// A store with a clock and randomness.
struct World {
    clock: ManualClock,
    store: MemoryStore,
    entropy: Arc<SeededEntropy>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(TimestampMicros(1_800_000_000_000_000));
        let store = MemoryStore::new(TABLES, Arc::new(clock.clone()), 1).expect("tables that do not clash");
        Self { clock, store, entropy: Arc::new(SeededEntropy::new(1)) }
    }

    /// From now on the store takes its time, so that concurrent requests overlap. For tests with paused time.
    fn slow_store(&self) {
        let latency = Duration::from_millis(1)..Duration::from_millis(5);
        self.store.control().set_faults(Faults { latency, ..Faults::default() });
    }
}
