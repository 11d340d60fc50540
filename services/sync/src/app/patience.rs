//! How long a response waits for the counts of what is unread to be those of the events that it tells.

use std::{sync::Arc, time::Duration};

use banyan_core::LogSeq;
use tokio::time::Instant;

use crate::tails::Tails;

/// How often what came meanwhile is waited for, too: in a busy room there is always something.
const ROUNDS: usize = 3;

/// The patience of one response.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Option<Instant>,
    most: Duration,
    rounds: usize,
}

impl Patience {
    /// Waits for `most` in all.
    pub(crate) const fn new(most: Duration) -> Self {
        Self { until: None, most, rounds: 0 }
    }

    /// Waits for push rules to be checked on these events. False: there was nothing to wait for, or it was waited long enough.
    pub(crate) async fn wait(&mut self, tails: &Tails, events: &[(Arc<str>, LogSeq)]) -> bool {
        if events.is_empty() || self.rounds == ROUNDS {
            return false;
        }
        self.rounds += 1;
        let until = *self.until.get_or_insert_with(|| Instant::now() + self.most);
        let left = until.saturating_duration_since(Instant::now());
        !left.is_zero() && tails.judged(events, left).await
    }
}
