//! The handle that a test steers a memory store by.

use std::sync::Arc;

use super::{
    Inner, Target,
    faults::{Faults, WriteFault},
};

/// A write that waits to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateWrite {
    /// Its number; later writes have higher ones.
    pub id: u64,
    /// What it is, in words.
    pub what: String,
}

/// Steers the faults of a [`super::MemoryStore`]. Clones steer the same store.
#[derive(Clone, Debug)]
pub struct MemoryControl(pub(super) Arc<Inner>);

impl MemoryControl {
    /// Replaces the probabilities of faults.
    pub fn set_faults(&self, faults: Faults) {
        self.0.engine.lock().faults = faults;
    }

    /// Refuses every operation until told otherwise; those under way lose their answers.
    pub fn set_down(&self, down: bool) {
        let mut engine = self.0.engine.lock();
        engine.outages += u64::from(down && !engine.down);
        engine.down = down;
    }

    /// The next write at `target` meets `fault`. Several wait in order.
    pub fn inject(&self, target: Target, fault: WriteFault) {
        self.0.engine.lock().inject(target, fault);
    }

    /// How many reads missed a write so far ([`Faults::stale_reads`]).
    #[must_use]
    pub fn stale_reads(&self) -> u64 {
        self.0.engine.lock().stale_reads
    }

    /// The writes that have not happened yet, oldest first: held by hand, or delayed by chance.
    #[must_use]
    pub fn late_writes(&self) -> Vec<LateWrite> {
        self.0.engine.lock().late().into_iter().map(|(id, what)| LateWrite { id, what }).collect()
    }

    /// Makes a late write happen now, against what is there now; answers whether there was one.
    #[must_use]
    pub fn release(&self, id: u64) -> bool {
        let now = self.0.clock.now();
        self.0.engine.lock().release(id, now)
    }

    /// Makes all late writes happen now, oldest first.
    pub fn release_all(&self) {
        let now = self.0.clock.now();
        let mut engine = self.0.engine.lock();
        for (id, _) in engine.late() {
            engine.release(id, now);
        }
    }

    /// Drops a late write: it never happens. Answers whether there was one.
    #[must_use]
    pub fn discard(&self, id: u64) -> bool {
        self.0.engine.lock().forget_late(id)
    }

    /// Every node of the store loses power and comes back: in each partition for itself, some of the newest derived writes that lie
    /// within [`Faults::crash_window`] are gone. Conditional writes stay, unless [`Faults::forgets_promises`].
    pub fn crash(&self) {
        let now = self.0.clock.now();
        self.0.engine.lock().crash(now);
    }
}
