//! A store in memory for simulations: the weakest semantics that the traits allow, with faults that come from a seed or are set by
//! hand. Deterministic on a single-threaded runtime; it waits only on tokio's timer (which may be paused) and asks only the given
//! [`Clock`] for the time.

mod control;
mod engine;
mod faults;
mod logs;
mod state;
mod tables;
mod unsettled;

use std::{fmt, sync::Arc};

use banyan_core::Clock;
use parking_lot::Mutex;

pub use self::{
    control::{LateWrite, MemoryControl},
    engine::Target,
    faults::{Faults, WriteFault},
};
use self::{engine::Engine, state::Change};
use crate::{
    StoreError, Table,
    check::Tables,
    conditional::{Conditional, Outcome},
};

/// The store. What it holds ends with the last clone of it and its control.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    engine: Mutex<Engine>,
    tables: Tables,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryStore {
    /// An empty store without faults; `seed` decides the faults that are switched on later.
    ///
    /// # Errors
    /// [`StoreError::Setup`] if the tables clash.
    pub fn new(tables: &[&'static Table], clock: Arc<dyn Clock>, seed: u64) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Inner { engine: Mutex::new(Engine::new(seed)), tables: Tables::new(tables)?, clock })))
    }

    /// The handle that steers it.
    #[must_use]
    pub fn control(&self) -> MemoryControl {
        MemoryControl(Arc::clone(&self.0))
    }

    /// The way to the store, or back.
    async fn travel(&self) {
        let latency = {
            let mut engine = self.0.engine.lock();
            let latency = engine.faults.latency.clone();
            if latency.end.is_zero() {
                return;
            }
            engine.draw(latency)
        };
        tokio::time::sleep(latency).await;
    }

    async fn read<T>(&self, read: impl FnOnce(&mut Engine, banyan_core::TimestampMicros) -> T + Send) -> Result<T, StoreError>
    where
        T: Send,
    {
        self.travel().await;
        let (answer, outages) = {
            let mut engine = self.0.engine.lock();
            let now = self.0.clock.now();
            engine.begin(now)?;
            (read(&mut engine, now), engine.outages)
        };
        self.travel().await;
        if self.0.engine.lock().outages == outages {
            Ok(answer)
        } else {
            Err(StoreError::Unavailable("injected: the store went away while it answered".to_owned()))
        }
    }

    async fn change<T: Send>(
        &self,
        change: impl FnOnce(&mut Engine, banyan_core::TimestampMicros) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.travel().await;
        let (answer, answered, outages) = {
            let mut engine = self.0.engine.lock();
            let now = self.0.clock.now();
            (change(&mut engine, now), engine.take_answered(), engine.outages)
        };
        self.travel().await;
        let mut engine = self.0.engine.lock();
        if engine.outages == outages {
            engine.acknowledge(answered);
            answer
        } else {
            Err(StoreError::Unknown("injected: the store went away while it answered".to_owned()))
        }
    }

    async fn perform(&self, change: Change) -> Result<Option<Outcome>, StoreError> {
        self.change(|engine, now| engine.write(change, now)).await
    }

    async fn conditional(&self, write: Conditional) -> Result<Outcome, StoreError> {
        let outcome = self.perform(Change::Conditional(write)).await?;
        outcome.ok_or_else(|| StoreError::Corrupt("a conditional write answered nothing".to_owned()))
    }
}
