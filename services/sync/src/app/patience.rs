//! How long a response waits for the counts of what is unread to be those of the events that it tells.

use std::{sync::Arc, time::Duration};

use banyan_core::LogSeq;

use crate::tails::Tails;

/// The patience of one response. It is for the events that are there at first: in a busy room others come meanwhile, and to wait for those,
/// too, would make of a conversation a few long timelines with holes.
#[derive(Debug)]
pub(crate) struct Patience {
    most: Duration,
    /// Whether push rules were checked in time.
    waited: Option<bool>,
}

impl Patience {
    /// Waits once, for `most`.
    pub(crate) const fn new(most: Duration) -> Self {
        Self { most, waited: None }
    }

    /// Waits for push rules to be checked on these events. False: there was nothing to wait for, or it was waited long enough.
    pub(crate) async fn wait(&mut self, tails: &Tails, events: &[(Arc<str>, LogSeq)]) -> bool {
        if events.is_empty() || self.waited.is_some() || self.most.is_zero() {
            return false;
        }
        let judged = tails.judged(events, self.most).await;
        self.waited = Some(judged);
        judged
    }

    /// Whether it was rewarded: then what came meanwhile can be left to the next response.
    pub(crate) const fn is_rewarded(&self) -> bool {
        matches!(self.waited, Some(true))
    }
}
