//! The state of each shard in this process. One lock, held for moments; what takes time happens while a slot is `Busy`.

use std::{collections::BTreeMap, time::Duration};

use banyan_core::{Epoch, LogId};
use banyan_log::OwnedLog;
use parking_lot::Mutex;

/// All slots.
pub(super) struct Slots(Mutex<BTreeMap<LogId, Slot>>);

struct Slot {
    state: State,
    /// `shard_owner` names this process, whatever the hash says.
    named: bool,
    /// That was said while the slot was busy: whatever comes of that, it is looked at again at once.
    named_while_busy: bool,
    /// Not to be looked at before.
    next_look: Duration,
    /// When it was last handed over, to or from here.
    moved: Option<Duration>,
    /// Since when it should be served here or there and is not known to be; `Some(0)` from the start.
    unsettled: Option<Duration>,
}

impl Slot {
    /// A busy slot is foreign again, and looked at later; at once if there was news meanwhile.
    fn rest(&mut self, next_look: Duration) {
        self.state = State::Foreign;
        self.next_look = if std::mem::take(&mut self.named_while_busy) { Duration::ZERO } else { next_look };
    }
}

enum State {
    Foreign,
    /// A task is claiming it or handing it over.
    Busy,
    Owned(OwnedLog),
}

impl Slots {
    pub(super) fn new(logs: impl Iterator<Item = LogId>) -> Self {
        let slot = || Slot {
            state: State::Foreign,
            named: false,
            named_while_busy: false,
            next_look: Duration::ZERO,
            moved: None,
            unsettled: Some(Duration::ZERO),
        };
        Self(Mutex::new(logs.map(|log| (log, slot())).collect()))
    }

    pub(super) fn owned(&self) -> Vec<LogId> {
        let slots = self.0.lock();
        slots.iter().filter(|(_, slot)| matches!(slot.state, State::Owned(_))).map(|(log, _)| *log).collect()
    }

    pub(super) fn get(&self, log: LogId) -> Option<OwnedLog> {
        match &self.0.lock().get(&log)?.state {
            State::Owned(owned) => Some(owned.clone()),
            State::Foreign | State::Busy => None,
        }
    }

    /// Whether any slot is busy or owned.
    pub(super) fn any_left(&self) -> bool {
        self.0.lock().values().any(|slot| !matches!(slot.state, State::Foreign))
    }

    /// Has a slot looked at soon, whether or not the hash says it belongs here.
    pub(super) fn name(&self, log: LogId) {
        if let Some(slot) = self.0.lock().get_mut(&log) {
            slot.named = true;
            slot.named_while_busy = matches!(slot.state, State::Busy);
            slot.next_look = Duration::ZERO;
        }
    }

    /// A foreign slot that `shard_owner` names this process for becomes busy; false if it is busy already (it is looked at again then)
    /// or owned.
    pub(super) fn begin_taking(&self, log: LogId) -> bool {
        self.name(log);
        let mut slots = self.0.lock();
        let Some(slot) = slots.get_mut(&log).filter(|slot| matches!(slot.state, State::Foreign)) else { return false };
        slot.state = State::Busy;
        true
    }

    /// Has every foreign slot looked at soon.
    pub(super) fn look_now(&self) {
        for slot in self.0.lock().values_mut().filter(|slot| matches!(slot.state, State::Foreign)) {
            slot.next_look = Duration::ZERO;
        }
    }

    /// The foreign slots that should be here and are due; they are busy from now on.
    pub(super) fn begin_looks(&self, now: Duration, is_mine: impl Fn(LogId) -> bool) -> Vec<LogId> {
        let mut slots = self.0.lock();
        let due = slots
            .iter_mut()
            .filter(|(log, slot)| matches!(slot.state, State::Foreign) && slot.next_look <= now && (slot.named || is_mine(**log)));
        due.map(|(log, slot)| {
            slot.state = State::Busy;
            *log
        })
        .collect()
    }

    /// The owned slots that are due for a check, and when to check them again.
    pub(super) fn begin_checks(&self, now: Duration, next: impl Fn(LogId) -> Duration) -> Vec<OwnedLog> {
        let mut due = Vec::new();
        for (log, slot) in self.0.lock().iter_mut() {
            let next_look = now + next(*log);
            let State::Owned(owned) = &slot.state else { continue };
            if slot.next_look <= now {
                slot.next_look = next_look;
                due.push(owned.clone());
            }
            // A check that is far off comes earlier once the hash says that the log belongs elsewhere.
            slot.next_look = slot.next_look.min(next_look);
        }
        due
    }

    /// A busy slot is owned now.
    pub(super) fn own(&self, log: LogId, owned: OwnedLog) {
        self.with(log, |slot| {
            slot.state = State::Owned(owned);
            (slot.named, slot.named_while_busy) = (false, false);
            slot.unsettled = None;
        });
    }

    /// An owned slot becomes busy, if it is owned (in this epoch, if one is given).
    pub(super) fn begin_leaving(&self, log: LogId, epoch: Option<Epoch>) -> Option<OwnedLog> {
        let mut slots = self.0.lock();
        let slot = slots.get_mut(&log)?;
        match &slot.state {
            State::Owned(owned) if epoch.is_none_or(|epoch| owned.epoch() == epoch) => {
                let owned = owned.clone();
                slot.state = State::Busy;
                Some(owned)
            }
            _ => None,
        }
    }

    /// A busy slot is another's, who serves it. True if there was news meanwhile: it is to be looked at at once.
    #[must_use]
    pub(super) fn settle_elsewhere(&self, log: LogId, next_look: Duration) -> bool {
        let mut slots = self.0.lock();
        let Some(slot) = slots.get_mut(&log) else { return false };
        slot.rest(next_look);
        slot.named &= slot.next_look.is_zero();
        slot.unsettled = None;
        slot.named
    }

    /// A busy slot was handed over. True if it is to be looked at at once, as for [`Slots::settle_elsewhere`].
    #[must_use]
    pub(super) fn hand_over(&self, log: LogId, now: Duration, next_look: Duration) -> bool {
        self.with(log, |slot| slot.moved = Some(now));
        self.settle_elsewhere(log, next_look)
    }

    /// A slot has just come here by a hand-over.
    pub(super) fn moved(&self, log: LogId, now: Duration) {
        self.with(log, |slot| slot.moved = Some(now));
    }

    /// A busy slot is nobody's as far as known.
    pub(super) fn fail(&self, log: LogId, now: Duration, next_look: Duration) {
        self.with(log, |slot| {
            slot.rest(next_look);
            slot.unsettled.get_or_insert(now);
        });
    }

    pub(super) fn moved_within(&self, log: LogId, now: Duration, interval: Duration) -> bool {
        let slots = self.0.lock();
        slots.get(&log).and_then(|slot| slot.moved).is_some_and(|moved| now.saturating_sub(moved) < interval)
    }

    /// How many of the slots that should be here are served nowhere, and have been for `patience` (or from the start).
    pub(super) fn unsettled(&self, now: Duration, patience: Duration, is_mine: impl Fn(LogId) -> bool) -> usize {
        let late = |since: Duration| since.is_zero() || now.saturating_sub(since) >= patience;
        let slots = self.0.lock();
        slots.iter().filter(|(log, slot)| slot.unsettled.is_some_and(late) && is_mine(**log)).count()
    }

    fn with(&self, log: LogId, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.0.lock().get_mut(&log) {
            change(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::ShardId;

    use super::*;

    const LOG: LogId = LogId::rooms(ShardId(1));

    fn busy() -> Slots {
        let slots = Slots::new([LOG].into_iter());
        assert_eq!(slots.begin_looks(Duration::from_secs(1), |_| true), [LOG]);
        slots
    }

    #[test]
    fn a_hand_over_during_a_look_is_looked_at_as_soon_as_the_look_ends() {
        let now = Duration::from_secs(1);
        for named in [false, true] {
            let slots = busy();
            if named {
                assert!(!slots.begin_taking(LOG));
            }
            assert_eq!(slots.settle_elsewhere(LOG, now + now), named);
            // The hash says that it belongs elsewhere.
            assert_eq!(slots.begin_looks(now, |_| false).len(), usize::from(named));
            assert!(!slots.settle_elsewhere(LOG, now + now));
            assert!(slots.begin_looks(now, |_| false).is_empty());
        }
    }

    #[test]
    fn what_is_handed_to_this_process_is_busy_at_once_and_stays_named_until_it_is_owned() {
        let slots = Slots::new([LOG].into_iter());
        let now = Duration::from_secs(1);
        assert!(slots.begin_taking(LOG));
        assert!(slots.begin_looks(now, |_| true).is_empty());
        slots.fail(LOG, now, now + now);
        assert!(slots.begin_looks(now, |_| false).is_empty());
        assert_eq!(slots.begin_looks(now + now, |_| false), [LOG]);
    }
}
