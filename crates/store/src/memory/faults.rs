//! What can be made to go wrong.

use std::{ops::Range, time::Duration};

/// How often, and how, operations fail by themselves. Probabilities are from 0 to 1; all are drawn from the store's seed. The default
/// is a store without faults that answers at once.
#[derive(Clone, Debug)]
pub struct Faults {
    /// An operation is refused before it begins.
    pub unavailable: f64,
    /// A write happens, and its answer is lost.
    pub unknown_applied: f64,
    /// A write's answer is lost, and it never happens.
    pub unknown_lost: f64,
    /// A write's answer is lost, and it happens after `delay`, against whatever is there then.
    pub unknown_delayed: f64,
    /// A conditional write that was answered is tried a second time after `delay`.
    pub duplicated: f64,
    /// When delayed and duplicated writes happen; also how long a `write_all` that broke off goes on behind its caller's back.
    pub delay: Range<Duration>,
    /// `write_all` breaks off: some of its batches happen now, some after `delay`, some never.
    pub half_applied: f64,
    /// A read that is not SERIAL misses some of the newest writes of its partition, as far as nobody was answered that they happened,
    /// though another read may have shown them already. (An unanswered conditional write is complete once a SERIAL read or another
    /// conditional write of its partition met it.)
    pub stale_reads: f64,
    /// A store that is read at ONE: stale reads miss acknowledged writes, too. A correct Banyan cannot run on this; it exists to show that
    /// the invariants notice.
    pub reads_at_one: bool,
    /// How long an operation travels to the store, and its answer back, each.
    pub latency: Range<Duration>,
    /// How far back [`super::MemoryControl::crash`] forgets.
    pub crash_window: Duration,
    /// A store node that does not sync its commit log: a crash makes it forget conditional writes, too. A correct Banyan cannot run
    /// on this; it exists to show that the invariants notice.
    pub forgets_promises: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            unavailable: 0.0,
            unknown_applied: 0.0,
            unknown_lost: 0.0,
            unknown_delayed: 0.0,
            duplicated: 0.0,
            delay: Duration::from_millis(10)..Duration::from_secs(10),
            half_applied: 0.0,
            stale_reads: 0.0,
            reads_at_one: false,
            latency: Duration::ZERO..Duration::ZERO,
            crash_window: Duration::from_secs(10),
            forgets_promises: false,
        }
    }
}

/// A fault for one write, set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// Refused before it begins: [`crate::StoreError::Unavailable`].
    Unavailable,
    /// It happens; the answer is [`crate::StoreError::Unknown`].
    UnknownApplied,
    /// It never happens; the answer is [`crate::StoreError::Unknown`].
    UnknownLost,
    /// The answer is [`crate::StoreError::Unknown`]; it happens when [`super::MemoryControl::release`] says so.
    Held,
    /// It happens and is answered; a copy is tried when [`super::MemoryControl::release`] says so.
    Duplicated,
}
