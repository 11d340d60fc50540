//! The log under a seeded storm: nodes that steal logs from each other, pause and die, a store that answers late, twice, unknown or not
//! at all, reads what is old and forgets what it had not synced, a bus that loses everything. One thread, tokio's clock paused, everything drawn from
//! one seed, so that a failing schedule replays exactly:
//!
//! `BANYAN_SIM_SEED=17 BANYAN_SIM_SCHEDULES=1 cargo test -p banyan-log simulation`
//!
//! `BANYAN_SIM_SCHEDULES` alone runs any number of schedules from seed 0 on (3,000 by default).

mod actors;
mod chaos;
mod ledger;
mod model;
mod node_store;
mod proof;
mod schedule;
mod verdict;

/// Rules broken on purpose, to prove that the simulation notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Timestamps are the owner's clock and nothing else.
    PlainTimestamps,
    /// An append that is not answered is taken not to have happened.
    SilenceMeansNo,
    /// What the store may have lost is not applied again.
    NoReplay,
    /// A new owner does not apply what was committed and not applied.
    SkipTail,
    /// A follower goes on behind a gap.
    SkipGaps,
    /// A follower believes that what is committed is applied.
    ReadAhead,
    /// A claim reads the end of the log before it fences the old owner.
    ReadBeforeFence,
    /// The answer comes before the rows are written.
    AnswerEarly,
    /// The memory of request ids is not restored by a new owner.
    ForgetRequests,
}
