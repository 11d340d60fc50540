//! What was observed in a schedule, for the verdict.

use std::collections::BTreeMap;

use banyan_core::{Epoch, LogId, LogSeq};
use banyan_store::{Append, LogRow};
use parking_lot::Mutex;

use crate::{Committed, Entry};

/// What a client knows of a command in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It happened, here.
    Happened(Vec<Committed>),
    /// It was looked up by its request id and had happened.
    Found(Vec<Entry>),
    /// Every try was refused: it did not happen.
    Refused,
    /// Nobody could say.
    Unknown,
}

/// A command and its answer.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) log: LogId,
    pub(super) command: i64,
    pub(super) client: usize,
    pub(super) count: usize,
    pub(super) answer: Answer,
}

/// An uninterrupted run of entries that a follower saw.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) log: LogId,
    pub(super) from: LogSeq,
    pub(super) to: LogSeq,
    pub(super) entries: Vec<Entry>,
}

#[derive(Default)]
struct State {
    epochs: BTreeMap<(LogId, LogSeq), (Epoch, u128)>,
    archive: BTreeMap<(LogId, LogSeq), LogRow>,
    outcomes: Vec<Outcome>,
    sightings: Vec<Sighting>,
    violations: Vec<String>,
}

/// The observations of one schedule.
#[derive(Default)]
pub(super) struct Ledger(Mutex<State>);

impl Ledger {
    /// An append was answered as applied.
    pub(super) fn appended(&self, log: LogId, batch: &Append) {
        let mut state = self.0.lock();
        for row in &batch.rows {
            let now = (batch.epoch, batch.batch_id);
            if let Some(before) = state.epochs.insert((log, row.seq), now)
                && before != now
            {
                state.violations.push(format!("entry {} of {log} was appended in epochs {} and {}", row.seq, before.0, now.0));
            }
        }
    }

    pub(super) fn archive(&self, log: LogId, rows: Vec<LogRow>) {
        let mut state = self.0.lock();
        for row in rows {
            state.archive.insert((log, row.seq), row);
        }
    }

    pub(super) fn archived(&self, log: LogId) -> BTreeMap<LogSeq, LogRow> {
        let state = self.0.lock();
        state.archive.iter().filter(|((of, _), _)| *of == log).map(|((_, seq), row)| (*seq, row.clone())).collect()
    }

    pub(super) fn epochs(&self, log: LogId) -> Vec<(LogSeq, Epoch)> {
        let state = self.0.lock();
        state.epochs.iter().filter(|((of, _), _)| *of == log).map(|((_, seq), (epoch, _))| (*seq, *epoch)).collect()
    }

    pub(super) fn outcome(&self, outcome: Outcome) {
        self.0.lock().outcomes.push(outcome);
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.0.lock().outcomes.clone()
    }

    pub(super) fn saw(&self, sighting: Sighting) {
        self.0.lock().sightings.push(sighting);
    }

    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.0.lock().sightings.clone()
    }

    pub(super) fn violation(&self, what: String) {
        self.0.lock().violations.push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.0.lock().violations.clone()
    }
}
