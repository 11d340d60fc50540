//! A role that owns room shards and does nothing with them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use banyan_core::{ErrorCode, LogId, LogKind, ServiceError};
use banyan_log::{Applier, DerivedRow, Entry, OwnedLog};
use banyan_runtime::ShardHost;
use parking_lot::Mutex;

/// Derives nothing.
pub(crate) struct Nothing;

impl Applier for Nothing {
    fn derive(&self, _: &Entry) -> Result<Vec<DerivedRow>, String> {
        Ok(Vec::new())
    }
}

/// Keeps what is open, and counts.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) open: Mutex<BTreeMap<LogId, OwnedLog>>,
    pub(crate) opened: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    pub(crate) prepared: AtomicUsize,
    /// Refuses to open.
    pub(crate) broken: AtomicBool,
}

#[async_trait]
impl ShardHost for Host {
    fn kind(&self) -> LogKind {
        LogKind::Rooms
    }

    fn applier(&self) -> Arc<dyn Applier> {
        Arc::new(Nothing)
    }

    async fn open(&self, log: OwnedLog) -> Result<(), ServiceError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ServiceError::new(ErrorCode::Internal, "broken on purpose"));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        let before = self.open.lock().insert(log.id(), log);
        assert!(before.is_none(), "opened twice without a close between");
        Ok(())
    }

    async fn prepare(&self, _: LogId) {
        self.prepared.fetch_add(1, Ordering::SeqCst);
    }

    async fn close(&self, log: LogId) {
        self.closed.fetch_add(1, Ordering::SeqCst);
        self.open.lock().remove(&log);
    }
}
