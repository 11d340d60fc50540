//! When the delayed events of a shard are due. Only a reminder: whoever is reminded looks at the rows, so what is here twice, or too
//! early, does no harm. What is decided about an event is here before it is decided, so that nothing is missing.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use banyan_core::{Clock, RequestId, ServiceError};
use banyan_users::delayed_events::MAX_PER_SHARD;
use futures::{StreamExt as _, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{app::fire_delayed_event, host::Inner, shard::Shard};

/// Events that are sent at a time.
const PARALLEL: usize = 64;
/// How long to sleep at most: the clock may be set.
const NAP: Duration = Duration::from_secs(60);
/// How long to wait before what failed is tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// A delayed event that may be due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// Milliseconds.
    pub(crate) at: i64,
    pub(crate) user_id: String,
    pub(crate) delay_id: String,
}

/// The reminders of a shard.
#[derive(Default)]
pub(crate) struct Schedule {
    due: Mutex<BTreeSet<Due>>,
    earlier: Notify,
}

impl Schedule {
    pub(crate) fn add(&self, due: Due) {
        let mut all = self.due.lock();
        let is_first = all.first().is_none_or(|first| due < *first);
        all.insert(due);
        drop(all);
        if is_first {
            self.earlier.notify_one();
        }
    }

    pub(crate) fn remove(&self, due: &Due) {
        self.due.lock().remove(due);
    }

    /// Whether no more events may be scheduled in this shard.
    pub(crate) fn is_full(&self) -> bool {
        self.due.lock().len() >= MAX_PER_SHARD
    }

    /// When the first is due, in milliseconds.
    pub(crate) fn first(&self) -> Option<i64> {
        self.due.lock().first().map(|due| due.at)
    }

    /// Takes what is due, the first ones, at most `limit`.
    fn take(&self, now: i64, limit: usize) -> Vec<Due> {
        let mut all = self.due.lock();
        let mut taken = Vec::new();
        while taken.len() < limit && all.first().is_some_and(|due| due.at <= now) {
            taken.extend(all.pop_first());
        }
        taken
    }

    /// Returns when something is due.
    async fn wait(&self, clock: &dyn Clock) {
        loop {
            let left = self.first().map(|at| at.saturating_sub(clock.now().as_millis()));
            match left.map(u64::try_from) {
                None => self.earlier.notified().await,
                Some(Err(_) | Ok(0)) => return,
                Some(Ok(left)) => {
                    let _ = tokio::time::timeout(NAP.min(Duration::from_millis(left)), self.earlier.notified()).await;
                }
            }
        }
    }
}

/// Sends the delayed events of a shard when they are due, for as long as it is polled.
pub(crate) async fn run(inner: Weak<Inner>, shard: Arc<Shard>) {
    while let Some(alive) = inner.upgrade() {
        match load(&alive, &shard).await {
            Ok(()) => break,
            Err(error) => tracing::debug!(log = %shard.id(), %error, "the delayed events of a shard cannot be read just now"),
        }
        drop(alive);
        tokio::time::sleep(RETRY).await;
    }
    let mut sending = FuturesUnordered::new();
    loop {
        let Some(clock) = inner.upgrade().map(|inner| inner.shared.clock.clone()) else { return };
        tokio::select! {
            () = shard.schedule.wait(&*clock), if sending.len() < PARALLEL => {
                let due = shard.schedule.take(clock.now().as_millis(), PARALLEL - sending.len());
                sending.extend(due.into_iter().map(|due| send(&inner, &shard, due)));
            }
            Some(()) = sending.next() => {}
        }
    }
}

async fn send(inner: &Weak<Inner>, shard: &Shard, due: Due) {
    if let Some(inner) = inner.upgrade() {
        fire_delayed_event::on_time(&inner, shard, due).await;
    }
}

/// What an earlier owner left waiting, once the rows show all that was ever committed.
async fn load(inner: &Inner, shard: &Shard) -> Result<(), ServiceError> {
    // A request that was never made is looked for only when all rows are there.
    shard.earlier(RequestId::generate(&*inner.shared.clock, &*inner.shared.entropy)).await?;
    for (user_id, delay_id, at) in inner.shared.reader.delayed_due(shard.id().shard).await? {
        shard.schedule.add(Due { at, user_id, delay_id });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use banyan_core::{ManualClock, TimestampMicros};

    use super::*;

    fn due(at: i64, delay_id: &str) -> Due {
        Due { at, user_id: "@a:x".to_owned(), delay_id: delay_id.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_first_ends_the_wait_and_is_taken_in_order() {
        let (schedule, clock) = (Schedule::default(), ManualClock::new(TimestampMicros(1_000_000)));
        schedule.add(due(5_000, "b"));
        schedule.add(due(9_000, "c"));
        let wait = schedule.wait(&clock);
        tokio::pin!(wait);
        assert!(futures::poll!(&mut wait).is_pending());
        schedule.add(due(1_000, "a"));
        wait.await;
        assert_eq!(schedule.take(clock.now().as_millis(), 9), [due(1_000, "a")]);
        clock.advance(Duration::from_secs(8));
        assert_eq!(schedule.take(clock.now().as_millis(), 1), [due(5_000, "b")]);
        schedule.remove(&due(9_000, "c"));
        assert_eq!(schedule.first(), None);
    }
}
