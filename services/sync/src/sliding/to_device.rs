//! The extension `to_device` (MSC3885).

use super::extensions;
use crate::{
    app::to_device::{Recipient, ToDevice},
    error::SyncError,
};

/// What it tells.
#[derive(Debug)]
pub(super) struct Told {
    /// Each JSON.
    pub(super) events: Vec<Vec<u8>>,
    /// Up to where the device is then told.
    pub(super) next_batch: u64,
}

/// Where the device is, and what it wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread {
    since: u64,
    limit: usize,
}

impl Unread {
    /// Takes off the queue what the device says that it got, of what lies below `upto`.
    ///
    /// # Errors
    /// [`SyncError::Request`] for what is no token.
    pub(super) async fn of(
        wish: &extensions::ToDevice,
        queues: &ToDevice,
        recipient: Recipient<'_>,
        upto: u64,
    ) -> Result<Self, SyncError> {
        let unread = Self { since: wish.since()?, limit: wish.limit() };
        queues.acknowledge(recipient, unread.since.min(upto)).await;
        Ok(unread)
    }

    /// What waits below `upto`.
    pub(super) async fn tell(self, queues: &ToDevice, recipient: Recipient<'_>, upto: u64) -> Result<Told, SyncError> {
        let (events, next_batch) = queues.waiting(recipient, (self.since, upto), self.limit).await?;
        Ok(Told { events, next_batch })
    }
}
