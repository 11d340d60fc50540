//! How long a response waits for the counts of what is unread to be those of the events that it tells.

use std::{sync::Arc, time::Duration};

use banyan_core::LogSeq;

use crate::tails::Tails;

/// The patience of one response: it waits once. What came meanwhile is not waited for, too: in a busy room there is always something, and
/// a client that is told late is told of less, for timelines are limited.
#[derive(Debug)]
pub(crate) struct Patience {
    most: Duration,
    waited: bool,
}

impl Patience {
    /// Waits for `most`.
    pub(crate) const fn new(most: Duration) -> Self {
        Self { most, waited: false }
    }

    /// Waits for push rules to be checked on these events. False: there was nothing to wait for, or it was waited long enough.
    pub(crate) async fn wait(&mut self, tails: &Tails, events: &[(Arc<str>, LogSeq)]) -> bool {
        if events.is_empty() || self.waited || self.most.is_zero() {
            return false;
        }
        self.waited = true;
        tails.judged(events, self.most).await
    }
}
