//! The recent past in memory: every room log and every user log, followed by every process of this role.
//!
//! The tails own what was committed lately and the vector of positions up to which it was taken in. They read nothing but logs; they
//! never answer from below a position that somebody was told.

pub mod change;
pub mod decode;
pub mod follow;
mod glance;
mod heard;
mod listen;
mod plan;
pub mod shard;
mod state;
mod typing;
pub mod warm;

use std::{future::Future, sync::Arc, time::Duration};

use banyan_core::{Clock, LogId, LogKind, LogSeq, ShardCount, ShardId, TimestampMicros};
use banyan_log::FollowBatch;
use banyan_rooms::stream_token::StreamToken;
use parking_lot::RwLock;
use tokio::sync::Notify;

use self::{
    change::Membership,
    state::{Bounds, State},
    typing::Typing,
    warm::{Loaded, WarmUser},
};
pub use self::{
    glance::{Glance, Glimpse},
    plan::{Counted, Plan, RoomPlan, Unjudged},
    typing::TypingToTell,
};
use crate::{config::SyncConfig, error::SyncError, metrics::Metrics};

/// The recent past. Shared by all requests.
#[derive(Debug)]
pub struct Tails {
    state: RwLock<State>,
    /// Taken after `state` where both are.
    typing: RwLock<Typing>,
    /// Notified whenever a position moved.
    moved: Notify,
    clock: Arc<dyn Clock>,
    shards: ShardCount,
    age: Duration,
    warm_for: Duration,
    metrics: Metrics,
}

/// A user whose rooms are kept current while this is held, and for some time after.
#[derive(Debug)]
pub struct Warmth {
    tails: Arc<Tails>,
    user: Arc<WarmUser>,
}

impl Warmth {
    /// The user.
    #[must_use]
    pub fn user(&self) -> &WarmUser {
        &self.user
    }
}

impl Drop for Warmth {
    fn drop(&mut self) {
        self.user.release(self.tails.clock.monotonic());
    }
}

impl Tails {
    /// Empty tails, at the beginning of every log.
    #[must_use]
    pub fn new(shards: ShardCount, clock: Arc<dyn Clock>, config: &SyncConfig, metrics: Metrics) -> Arc<Self> {
        let logs = usize::from(shards.get()) * 2;
        let bounds = Bounds { bytes: config.tail_bytes / logs, entries: config.tail_entries };
        Arc::new(Self {
            state: RwLock::new(State::new(shards, bounds)),
            typing: RwLock::new(Typing::new(shards)),
            moved: Notify::new(),
            clock,
            shards,
            age: config.tail_age.0,
            warm_for: config.warm.0,
            metrics,
        })
    }

    /// How many shards there are.
    #[must_use]
    pub const fn shards(&self) -> ShardCount {
        self.shards
    }

    /// Takes in a batch of a log, which must begin where the last one ended.
    pub fn apply(&self, log: LogId, batch: &FollowBatch) {
        let woken = match log.kind {
            LogKind::Rooms => {
                let entries = batch.entries.iter().map(decode::room_entry).collect();
                self.state.write().apply_rooms(log.shard, entries, batch.next)
            }
            LogKind::Users => {
                let entries = batch.entries.iter().filter_map(decode::user_entry).collect();
                self.state.write().apply_users(log.shard, entries, batch.next)
            }
        };
        self.moved.notify_waiters();
        woken.iter().for_each(|user| user.wake());
        self.metrics.woken(woken.len());
    }

    /// Begins a log at `next`, or goes on there after a hole.
    pub fn reset(&self, log: LogId, next: LogSeq) {
        let mut state = self.state.write();
        match log.kind {
            LogKind::Rooms => state.reset_rooms(log.shard, next),
            LogKind::Users => state.reset_users(log.shard, next),
        }
        drop(state);
        self.moved.notify_waiters();
    }

    /// Drops what is too old, and users who are gone.
    pub fn tidy(&self) {
        let oldest = TimestampMicros(self.clock.now().0 - i64::try_from(self.age.as_micros()).unwrap_or(i64::MAX));
        let idle = self.clock.monotonic().saturating_sub(self.warm_for);
        let mut state = self.state.write();
        state.drop_old(oldest);
        state.warm.drop_idle(u64::try_from(idle.as_millis()).unwrap_or(0));
        self.metrics.tails(state.bytes(), state.warm.len());
    }

    /// Waits until this process has seen all that a token has.
    ///
    /// # Errors
    /// [`SyncError::Behind`] if it has not within `most`.
    pub async fn reach(&self, user: &str, token: &StreamToken, most: Duration) -> Result<(), SyncError> {
        let shard = self.shards.shard_of(user);
        self.until(most, |state| state.reached(shard, token)).await
    }

    /// Waits until the entries at these positions were taken in.
    ///
    /// # Errors
    /// [`SyncError::Behind`] if they were not within `most`.
    pub async fn reach_rows(
        &self,
        rooms: &[(ShardId, LogSeq)],
        user: Option<(ShardId, LogSeq)>,
        most: Duration,
    ) -> Result<(), SyncError> {
        self.until(most, |state| {
            rooms.iter().all(|(shard, seq)| state.rooms[usize::from(shard.0)].next > *seq)
                && user.is_none_or(|(shard, seq)| state.users[usize::from(shard.0)].next > seq)
        })
        .await
    }

    /// Waits until push rules were checked on these events, for `most`; whether they were.
    pub async fn judged(&self, events: &[(Arc<str>, LogSeq)], most: Duration) -> bool {
        let judged = |state: &State| {
            let tail = |room: &Arc<str>| state.by_room.get(room);
            events.iter().all(|(room, placed)| tail(room).is_none_or(|tail| tail.judged > *placed))
        };
        self.until(most, judged).await.is_ok()
    }

    async fn until(&self, most: Duration, reached: impl Fn(&State) -> bool) -> Result<(), SyncError> {
        let wait = async {
            loop {
                let mut moved = std::pin::pin!(self.moved.notified());
                moved.as_mut().enable();
                if reached(&self.state.read()) {
                    return;
                }
                moved.await;
            }
        };
        tokio::time::timeout(most, wait).await.map_err(|_| SyncError::Behind)
    }

    /// Makes a user warm: their rooms are read once, by `load`, and kept current from then on.
    ///
    /// # Errors
    /// Those of `load`, and [`SyncError::Behind`] if this process does not reach what it read within `most`.
    pub async fn warm<F: Future<Output = Result<Loaded, SyncError>>>(
        self: &Arc<Self>,
        user: &str,
        most: Duration,
        load: impl Fn() -> F,
    ) -> Result<Warmth, SyncError> {
        loop {
            let warmth = self.enter(user);
            if warmth.user.loaded.initialized() {
                return Ok(warmth);
            }
            let handle = warmth.user.clone();
            let loading = async {
                let loaded = load().await?;
                let rows: Vec<_> = loaded.rooms.iter().map(|(_, shard, standing)| (*shard, standing.seq)).collect();
                let known = (loaded.ignored_seq > LogSeq(0)).then(|| (self.shards.shard_of(user), loaded.ignored_seq));
                self.reach_rows(&rows, known, most).await?;
                self.state.write().warm.load(&handle, loaded);
                Ok::<(), SyncError>(())
            };
            handle.loaded.get_or_try_init(|| loading).await?;
            if self.is_current(&handle) {
                return Ok(warmth);
            }
        }
    }

    /// Holds a user, so that their rooms are kept current from now on.
    fn enter(self: &Arc<Self>, user: &str) -> Warmth {
        // Held under the lock: nobody can take the user for idle in between.
        let held = |handle: &Arc<WarmUser>| {
            handle.hold();
            Warmth { tails: self.clone(), user: handle.clone() }
        };
        if let Some(warm) = self.state.read().warm.get(user) {
            return held(&warm.handle);
        }
        held(&self.state.write().warm.enter(user))
    }

    fn is_current(&self, handle: &Arc<WarmUser>) -> bool {
        self.state.read().warm.get(&handle.user).is_some_and(|state| Arc::ptr_eq(&state.handle, handle))
    }

    /// What happened to a user since a token that was reached, or from the beginning; `None` if the user must be made warm again.
    #[must_use]
    pub fn plan(&self, user: &str, since: Option<&StreamToken>) -> Option<Plan> {
        self.state.read().plan(user, since)
    }

    /// The same with every room of the user, whether something happened in it or not.
    #[must_use]
    pub fn plan_all(&self, user: &str, since: &StreamToken) -> Option<Plan> {
        self.state.read().plan_all(user, since)
    }

    /// Whether messages may have come for a device at positions in `from..upto`.
    #[must_use]
    pub fn may_have_messages(&self, user: &str, device: &str, (from, upto): (u64, u64)) -> bool {
        let state = self.state.read();
        if !state.users[usize::from(self.shards.shard_of(user).0)].covers(LogSeq(from)) {
            return true;
        }
        let mut changes = state.by_user.get(user).into_iter().flatten();
        changes.any(|change| (from..upto).contains(&change.seq.0) && change.brings(device))
    }

    /// Every room of a warm user at one moment, and what happened to the user since a token that was reached; `None` if the user must be
    /// made warm again.
    #[must_use]
    pub fn glance(&self, user: &str, since: Option<&StreamToken>) -> Option<Glance> {
        self.state.read().glance(user, since)
    }

    /// What happened in some rooms between positions of theirs and the moment of a glance.
    #[must_use]
    pub fn plans_until(&self, user: &str, until: &StreamToken, rooms: &[(&Glimpse, Option<LogSeq>)]) -> Vec<RoomPlan> {
        let state = self.state.read();
        rooms.iter().map(|(glimpse, since)| state.plan_until(user, until, glimpse, *since)).collect()
    }

    /// A warm user's membership in a room.
    #[must_use]
    pub fn membership(&self, user: &str, room: &str) -> Membership {
        let state = self.state.read();
        let standing = state.warm.get(user).and_then(|warm| warm.rooms.get(room));
        standing.map_or(Membership::Leave, |standing| standing.membership)
    }

    /// The position of everything that was taken in, for a user.
    #[must_use]
    pub fn position(&self, user: &str) -> StreamToken {
        self.state.read().position(self.shards.shard_of(user), None)
    }
}
