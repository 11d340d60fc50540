//! The answer to a proposal.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use banyan_core::{LogSeq, TimestampMicros};
use tokio::sync::oneshot;

use crate::LogError;

/// Where a proposal ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the log.
    pub seq: LogSeq,
    /// Its timestamp.
    pub timestamp: TimestampMicros,
}

/// Resolves when a group is committed, applied and its hint published; one [`Committed`] per proposal, in order. Dropping it changes
/// nothing about the group.
#[derive(Debug)]
#[must_use]
pub struct Pending(oneshot::Receiver<Result<Vec<Committed>, LogError>>);

/// The other end.
pub(crate) type Answer = oneshot::Sender<Result<Vec<Committed>, LogError>>;

impl Pending {
    pub(crate) fn new() -> (Answer, Self) {
        let (answer, pending) = oneshot::channel();
        (answer, Self(pending))
    }
}

impl Future for Pending {
    type Output = Result<Vec<Committed>, LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Whoever held the other end went away with the batch under way.
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or_else(|_| Err(LogError::Unknown("the log was lost".to_owned()))))
    }
}
