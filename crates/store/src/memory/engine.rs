//! Decides which fault befalls an operation, and keeps the writes that happen late.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use banyan_core::{LogId, TimestampMicros};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    faults::{Faults, WriteFault},
    state::{Before, Change, Partition, State},
    unsettled::Unsettled,
};
use crate::{
    StoreError, WriteBatch,
    conditional::{Conditional, HeadWrite, Outcome, OwnerWrite, ValueWrite},
};

/// Which write a fault set by hand waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An append to a log.
    Append(LogId),
    /// A change of a log's owner row.
    Owner(LogId),
    /// The creation of a bucket's head, or a raise of its epoch.
    Head(LogId),
    /// Any write to a table.
    Table(&'static str),
}

/// A write that has not happened yet.
#[derive(Clone, Debug)]
struct Late {
    /// `None`: when it is released.
    due: Option<TimestampMicros>,
    change: Change,
}

/// All that is behind the store's lock.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) state: State,
    pub(super) faults: Faults,
    pub(super) down: bool,
    /// Counts outages, so that an operation notices one that began and ended while it was under way.
    pub(super) outages: u64,
    rng: ChaCha8Rng,
    late: BTreeMap<u64, Late>,
    next_late: u64,
    injected: Vec<(Target, WriteFault)>,
    /// What a crash may take back, oldest first.
    history: VecDeque<(TimestampMicros, Before)>,
    unsettled: Unsettled,
    /// How many reads were stale.
    pub(super) stale_reads: u64,
    /// Writes that their caller will be told happened, once the answer has travelled.
    answered: Vec<(Partition, u64)>,
}

impl Engine {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: State::default(),
            faults: Faults::default(),
            down: false,
            outages: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            late: BTreeMap::new(),
            next_late: 0,
            injected: Vec::new(),
            history: VecDeque::new(),
            unsettled: Unsettled::default(),
            stale_reads: 0,
            answered: Vec::new(),
        }
    }

    pub(super) fn draw(&mut self, range: std::ops::Range<Duration>) -> Duration {
        if range.is_empty() { range.start } else { self.rng.random_range(range) }
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }

    /// What every operation begins with: late writes whose time has come happen first.
    pub(super) fn begin(&mut self, now: TimestampMicros) -> Result<(), StoreError> {
        self.run_due(now);
        let refused = self.faults.unavailable;
        if self.down || self.happens(refused) {
            return Err(StoreError::Unavailable("injected".to_owned()));
        }
        Ok(())
    }

    fn run_due(&mut self, now: TimestampMicros) {
        let mut due: Vec<(TimestampMicros, u64)> =
            self.late.iter().filter_map(|(id, late)| Some((late.due.filter(|due| *due <= now)?, *id))).collect();
        due.sort_unstable();
        for (_, id) in due {
            self.release(id, now);
        }
    }

    /// Makes a late write happen now; answers whether there was one.
    pub(super) fn release(&mut self, id: u64, now: TimestampMicros) -> bool {
        let Some(late) = self.late.remove(&id) else { return false };
        drop(self.commit(&late.change, now));
        true
    }

    /// The late writes, oldest first.
    pub(super) fn late(&self) -> Vec<(u64, String)> {
        self.late.iter().map(|(id, late)| (*id, late.change.to_string())).collect()
    }

    pub(super) fn forget_late(&mut self, id: u64) -> bool {
        self.late.remove(&id).is_some()
    }

    pub(super) fn inject(&mut self, target: Target, fault: WriteFault) {
        self.injected.push((target, fault));
    }

    pub(super) fn write(&mut self, change: Change, now: TimestampMicros) -> Result<Option<Outcome>, StoreError> {
        let by_hand = self.take_injected(&change);
        if by_hand == Some(WriteFault::Unavailable) {
            return Err(StoreError::Unavailable("injected".to_owned()));
        }
        self.begin(now)?;
        let (fault, due) = match by_hand {
            Some(fault) => (Some(fault), None),
            None => (self.random_fault(&change), Some(self.due(now))),
        };
        let unknown = || Err(StoreError::Unknown("injected".to_owned()));
        match fault {
            None | Some(WriteFault::Unavailable) => Ok(self.commit_answered(&change, now)),
            Some(WriteFault::UnknownLost) => unknown(),
            Some(WriteFault::UnknownApplied) => {
                drop(self.commit(&change, now));
                unknown()
            }
            Some(WriteFault::Held) => {
                self.keep(change, due);
                unknown()
            }
            Some(WriteFault::Duplicated) => {
                let outcome = self.commit_answered(&change, now);
                self.keep(change, due);
                Ok(outcome)
            }
        }
    }

    /// Many batches: each may meet its own fault, and the whole may break off.
    pub(super) fn write_all(&mut self, batches: Vec<WriteBatch>, now: TimestampMicros) -> Result<(), StoreError> {
        let half = self.faults.half_applied;
        if !self.happens(half) {
            let results: Vec<_> = batches.into_iter().map(|batch| self.write(Change::Derived(batch), now)).collect();
            return results.into_iter().try_for_each(|result| result.map(drop));
        }
        self.begin(now)?;
        for batch in batches {
            match self.rng.random_range(0..3) {
                0 => drop(self.commit(&Change::Derived(batch), now)),
                1 => {
                    let due = self.due(now);
                    self.keep(Change::Derived(batch), Some(due));
                }
                _ => {}
            }
        }
        Err(StoreError::Unknown("injected: half applied".to_owned()))
    }

    fn due(&mut self, now: TimestampMicros) -> TimestampMicros {
        let delay = self.faults.delay.clone();
        let delay = self.draw(delay);
        TimestampMicros(now.0 + i64::try_from(delay.as_micros()).unwrap_or(i64::MAX / 2))
    }

    fn keep(&mut self, change: Change, due: Option<TimestampMicros>) {
        self.late.insert(self.next_late, Late { due, change });
        self.next_late += 1;
    }

    fn take_injected(&mut self, change: &Change) -> Option<WriteFault> {
        let position = self.injected.iter().position(|(target, _)| change.is_at(*target))?;
        Some(self.injected.remove(position).1)
    }

    fn random_fault(&mut self, change: &Change) -> Option<WriteFault> {
        let Faults { unknown_applied, unknown_lost, unknown_delayed, duplicated, .. } = self.faults;
        if self.happens(unknown_applied) {
            return Some(WriteFault::UnknownApplied);
        }
        if self.happens(unknown_lost) {
            return Some(WriteFault::UnknownLost);
        }
        if self.happens(unknown_delayed) {
            return Some(WriteFault::Held);
        }
        let conditional = matches!(change, Change::Conditional(_));
        (conditional && self.happens(duplicated)).then_some(WriteFault::Duplicated)
    }

    /// Makes a change that its caller is told of.
    fn commit_answered(&mut self, change: &Change, now: TimestampMicros) -> Option<Outcome> {
        let (outcome, unsettled) = self.commit(change, now);
        self.answered.extend(unsettled);
        outcome
    }

    fn commit(&mut self, change: &Change, now: TimestampMicros) -> (Option<Outcome>, Option<(Partition, u64)>) {
        if let Change::Conditional(write) = change {
            self.unsettled.completed(&write.partition());
        }
        let (outcome, before) = self.state.apply(change, now);
        let unsettled = before.map(|before| {
            self.history.push_back((now, before.clone()));
            (before.partition(), self.unsettled.begin(now, before))
        });
        let horizon = self.horizon(now);
        while self.history.front().is_some_and(|(at, _)| *at < horizon) {
            self.history.pop_front();
        }
        (outcome, unsettled)
    }

    fn horizon(&self, now: TimestampMicros) -> TimestampMicros {
        TimestampMicros(now.0 - i64::try_from(self.faults.crash_window.as_micros()).unwrap_or(i64::MAX / 2))
    }

    /// What became certain in the operation that just ran, for [`Self::acknowledge`] once its caller has the answer.
    pub(super) fn take_answered(&mut self) -> Vec<(Partition, u64)> {
        std::mem::take(&mut self.answered)
    }

    pub(super) fn acknowledge(&mut self, answered: Vec<(Partition, u64)>) {
        if self.faults.reads_at_one {
            return;
        }
        for (partition, id) in answered {
            self.unsettled.acknowledged(&partition, id);
        }
    }

    /// A read at QUORUM.
    pub(super) fn read<T>(&mut self, partition: &Partition, now: TimestampMicros, read: impl FnOnce(&State) -> T) -> T {
        let horizon = self.horizon(now);
        self.unsettled.repair(horizon);
        let (unsettled, stale) = (self.unsettled.of(partition).len(), self.faults.stale_reads);
        if unsettled == 0 || !self.happens(stale) {
            return read(&self.state);
        }
        let missed = self.rng.random_range(1..=unsettled);
        self.stale_reads += 1;
        let mut seen = self.state.only(partition);
        self.unsettled.of(partition).rev().take(missed).for_each(|before| seen.undo(before.clone()));
        read(&seen)
    }

    /// A read at SERIAL.
    pub(super) fn read_serial<T>(&mut self, partition: &Partition, read: impl FnOnce(&State) -> T) -> T {
        self.unsettled.completed(partition);
        read(&self.state)
    }

    /// Forgets, in each partition for itself, a random number of the newest writes that lie in the window.
    pub(super) fn crash(&mut self, now: TimestampMicros) {
        let horizon = self.horizon(now);
        self.unsettled.clear();
        let forgets_promises = self.faults.forgets_promises;
        let history: Vec<Before> = std::mem::take(&mut self.history)
            .into_iter()
            .filter(|(at, before)| *at >= horizon && (forgets_promises || !before.is_conditional()))
            .map(|(_, before)| before)
            .collect();
        let mut newest: BTreeMap<Partition, u64> = BTreeMap::new();
        for before in &history {
            *newest.entry(before.partition()).or_default() += 1;
        }
        for forgotten in newest.values_mut() {
            *forgotten = self.rng.random_range(0..=*forgotten);
        }
        for before in history.into_iter().rev() {
            let left = newest.entry(before.partition()).or_default();
            if *left > 0 {
                *left -= 1;
                self.state.undo(before);
            }
        }
    }
}

impl Conditional {
    fn partition(&self) -> Partition {
        match self {
            Self::Owner(log, _) => Partition::Owner(*log),
            Self::Head(log, bucket, _) => Partition::Bucket(*log, *bucket),
            Self::Value(row, _) => Partition::Table(row.table, row.partition.clone()),
        }
    }
}

impl Change {
    fn is_at(&self, target: Target) -> bool {
        match (self, target) {
            (Self::Conditional(Conditional::Head(log, _, HeadWrite::Append(_))), Target::Append(wanted))
            | (Self::Conditional(Conditional::Head(log, _, HeadWrite::Create(_) | HeadWrite::Raise(..))), Target::Head(wanted))
            | (Self::Conditional(Conditional::Owner(log, _)), Target::Owner(wanted)) => *log == wanted,
            (Self::Conditional(Conditional::Value(row, _)), Target::Table(name)) => row.table == name,
            (Self::Derived(batch), Target::Table(name)) => batch.table.name == name,
            _ => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conditional(Conditional::Owner(log, OwnerWrite::Create(_))) => write!(f, "create the owner of {log}"),
            Self::Conditional(Conditional::Owner(log, OwnerWrite::Replace(epoch, _))) => {
                write!(f, "replace the owner of {log} at epoch {epoch}")
            }
            Self::Conditional(Conditional::Head(log, bucket, HeadWrite::Create(_))) => write!(f, "create head {bucket} of {log}"),
            Self::Conditional(Conditional::Head(log, bucket, HeadWrite::Raise(epoch, _))) => {
                write!(f, "raise head {bucket} of {log} to epoch {epoch}")
            }
            Self::Conditional(Conditional::Head(log, _, HeadWrite::Append(batch))) => {
                write!(f, "append {} entries to {log} at {}", batch.rows.len(), batch.next_seq)
            }
            Self::Conditional(Conditional::Value(row, ValueWrite::Insert(..))) => write!(f, "insert into {}", row.table),
            Self::Conditional(Conditional::Value(row, ValueWrite::Replace { .. })) => write!(f, "replace in {}", row.table),
            Self::Derived(batch) => write!(f, "write to {}", batch.table.name),
            Self::DropBucket(log, bucket) => write!(f, "drop bucket {bucket} of {log}"),
        }
    }
}
