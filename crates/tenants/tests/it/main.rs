//! Tenants over a store.

mod configuration;
mod keys;

use std::sync::Arc;

use banyan_core::{ManualClock, SeededEntropy, TimestampMicros};
use banyan_store::memory::MemoryStore;
use banyan_tenants::{TABLES, TenantConfig, TenantError, Tenants};

/// A store, a clock and the means to load tenants from them.
struct World {
    clock: ManualClock,
    store: MemoryStore,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(TimestampMicros(1_800_000_000_000_000));
        let store = MemoryStore::new(TABLES, Arc::new(clock.clone()), 1).expect("tables that do not clash");
        Self { clock, store }
    }

    /// What a process with this configuration gets; `seed` is its own randomness.
    async fn load(&self, seed: u64, configs: &[TenantConfig]) -> Result<Tenants, TenantError> {
        Tenants::load(configs, &self.store, &self.clock, &SeededEntropy::new(seed)).await
    }
}
