//! How many syncs are served at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::{config::SyncConfig, error::SyncError, metrics::Metrics};

/// Lets syncs in, or sends them away.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<Semaphore>,
    initial: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    metrics: Metrics,
}

/// A sync that was let in.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
    metrics: Metrics,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.request(-1);
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Admission {
    /// As configured.
    #[must_use]
    pub fn new(config: &SyncConfig, metrics: Metrics) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(config.connections)),
            initial: Semaphore::new(config.initial_syncs),
            waiting: AtomicUsize::new(0),
            most_waiting: config.waiting_initial_syncs,
            metrics,
        }
    }

    /// Lets a sync in.
    ///
    /// # Errors
    /// [`SyncError::Busy`].
    pub fn connect(&self) -> Result<Slot, SyncError> {
        let permit = self.connections.clone().try_acquire_owned().map_err(|_| self.busy())?;
        self.metrics.request(1);
        Ok(Slot { _permit: permit, metrics: self.metrics.clone() })
    }

    /// Waits for the turn of an initial sync.
    ///
    /// # Errors
    /// [`SyncError::Busy`] if too many wait.
    pub async fn initial(&self) -> Result<SemaphorePermit<'_>, SyncError> {
        if let Ok(permit) = self.initial.try_acquire() {
            return Ok(permit);
        }
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(self.busy());
        }
        let _waiting = Waiting(&self.waiting);
        self.initial.acquire().await.map_err(|_| self.busy())
    }

    fn busy(&self) -> SyncError {
        self.metrics.refused();
        SyncError::Busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(initial: usize, waiting: usize) -> Admission {
        let config = SyncConfig { initial_syncs: initial, waiting_initial_syncs: waiting, connections: 2, ..SyncConfig::default() };
        Admission::new(&config, Metrics::default())
    }

    #[tokio::test]
    async fn initial_syncs_wait_and_too_many_are_sent_away() {
        let admission = admission(1, 1);
        let turn = admission.initial().await.unwrap();
        let mut second = std::pin::pin!(admission.initial());
        assert!(futures::poll!(second.as_mut()).is_pending());
        assert!(matches!(admission.initial().await, Err(SyncError::Busy)));
        drop(turn);
        assert!(second.await.is_ok());
        assert!(admission.initial().await.is_ok());
    }

    #[test]
    fn connections_are_counted() {
        let admission = admission(1, 1);
        let slots = (admission.connect().unwrap(), admission.connect().unwrap());
        assert!(matches!(admission.connect(), Err(SyncError::Busy)));
        drop(slots);
        assert!(admission.connect().is_ok());
    }
}
