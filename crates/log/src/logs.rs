//! Where owned logs and followers come from.

use std::{collections::HashMap, sync::Arc};

use banyan_bus::Bus;
use banyan_core::{Clock, Entropy, Epoch, LogId, LogSeq};
use banyan_store::{OwnerRow, Store, StoreError};
use parking_lot::Mutex;

use crate::{Applier, ClaimError, Cursors, Follower, LogConfig, OwnedLog, claim, metrics::Metrics, place::Buckets};

/// This process run, as `shard_owner` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique to this run.
    pub id: String,
    /// The gRPC address, `host:port`.
    pub addr: String,
}

/// Claims and follows logs. Clones share everything.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) config: LogConfig,
    pub(crate) metrics: Metrics,
    claims: Mutex<HashMap<LogId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Inner {
    /// Held by a claim: those of one log and process never overlap.
    pub(crate) fn claim_lock(&self, log: LogId) -> Arc<tokio::sync::Mutex<()>> {
        self.claims.lock().entry(log).or_default().clone()
    }
}

impl Logs {
    /// Logs over a store and a bus. Metrics go to the meter provider that is installed now.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        config: LogConfig,
    ) -> Self {
        Self(Arc::new(Inner { store, bus, clock, entropy, config, metrics: Metrics::new(), claims: Mutex::default() }))
    }

    /// Takes a log over, creating it if it is new: fences every earlier owner, applies what it had committed and not yet applied, and
    /// applies again in the background what the store may have lost. Whether one should, ownership decides, not this.
    ///
    /// `judged` is the epoch of the owner row ([`Logs::owner`]) by which it was decided, `None` if there was no row. If the log has got
    /// another owner since, the answer is [`ClaimError::Taken`]: the new one must be judged, too, before it is robbed.
    ///
    /// A log that was handed over to this node is taken without a new epoch.
    pub async fn claim_from(
        &self,
        log: LogId,
        judged: Option<Epoch>,
        node: &Node,
        applier: Arc<dyn Applier>,
    ) -> Result<OwnedLog, ClaimError> {
        let (shared, restored) = claim::claim(&self.0, log, judged, node, applier).await?;
        Ok(OwnedLog::start(shared, restored))
    }

    /// [`Logs::claim_from`] whoever has it now: for a caller who knows that nobody else is there, such as a test.
    pub async fn claim(&self, log: LogId, node: &Node, applier: Arc<dyn Applier>) -> Result<OwnedLog, ClaimError> {
        let judged = self.owner(log).await?.map(|row| row.epoch);
        self.claim_from(log, judged, node, applier).await
    }

    /// The log's entries from `from` on, as they are applied.
    #[must_use]
    pub fn follow(&self, log: LogId, from: LogSeq) -> Follower {
        Follower::new(self.0.clone(), log, from)
    }

    /// Who owns a log; `None` before its first claim.
    pub async fn owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        self.0.store.read_owner(log).await
    }

    /// The cursors of a durable follower.
    #[must_use]
    pub fn cursors(&self, follower: &str) -> Cursors {
        Cursors::new(self.0.store.clone(), self.0.clock.clone(), follower)
    }

    /// The part of a log that is there: the first entry that retention has not dropped, and the position up to which entries were applied
    /// when the owner last stored its progress (at most about a second ago). Both are 0 for a log that was never claimed.
    pub async fn extent(&self, log: LogId) -> Result<(LogSeq, LogSeq), StoreError> {
        let owner = self.0.store.read_owner(log).await?;
        let (applied, _) = claim::read_progress(&*self.0.store, log).await?;
        let first = owner.map_or(LogSeq(0), |row| Buckets(self.0.config.bucket_len).first(row.first_bucket));
        Ok((first, applied.max(first)))
    }
}
