//! What the parts of an owned log share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use banyan_core::{Clock, Epoch, LogId, LogSeq};
use banyan_store::{OwnerRow, Store};
use opentelemetry::KeyValue;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::{
    Applier, LogConfig, LogError, LostReason, Node,
    logs::Inner,
    metrics::{self, Metrics},
    place::Buckets,
    queue::Queue,
    requests::Requests,
    signal::Signal,
    sources::Sources,
};

/// What `propose` and the committer hand each other, behind one lock.
pub(crate) struct Intake {
    pub(crate) queue: Queue,
    pub(crate) requests: Requests,
    pub(crate) sources: Sources,
    /// No more proposals: the log is being handed over.
    pub(crate) frozen: bool,
    /// To be answered once the queue is empty and all is applied.
    pub(crate) flush: Option<oneshot::Sender<()>>,
    pub(crate) lost: Option<LostReason>,
}

/// The bucket marks of the owner row, as last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) first_bucket: u64,
    pub(crate) hint_bucket: u64,
}

/// The state of an owned log.
pub(crate) struct Shared {
    pub(crate) logs: Arc<Inner>,
    pub(crate) log: LogId,
    pub(crate) node: Node,
    pub(crate) epoch: Epoch,
    pub(crate) applier: Arc<dyn Applier>,
    pub(crate) intake: Mutex<Intake>,
    /// Something was queued.
    pub(crate) wake: Notify,
    /// The end of what is committed.
    next_seq: AtomicU64,
    /// The bucket whose head is the log's.
    head_bucket: AtomicU64,
    pub(crate) applied: Signal<LogSeq>,
    /// Whether all that the store may have lost was applied again.
    pub(crate) replayed: Signal<bool>,
    pub(crate) lost: Arc<Signal<Option<LostReason>>>,
    /// When the last successful append or head check began.
    lease: Mutex<Option<Duration>>,
    pub(crate) lease_check: tokio::sync::Mutex<()>,
    /// Held while the owner row is written.
    pub(crate) marks: tokio::sync::Mutex<Marks>,
    pub(crate) attributes: [KeyValue; 1],
}

impl Shared {
    pub(crate) fn new(logs: Arc<Inner>, log: LogId, node: Node, epoch: Epoch, applier: Arc<dyn Applier>, marks: Marks) -> Self {
        let config = &logs.config;
        let intake = Intake {
            queue: Queue::new(config.max_queue_entries, config.max_queue_bytes),
            requests: Requests::new(config.request_memory_entries, config.request_memory),
            sources: Sources::default(),
            frozen: false,
            flush: None,
            lost: None,
        };
        Self {
            log,
            node,
            epoch,
            applier,
            intake: Mutex::new(intake),
            wake: Notify::new(),
            next_seq: AtomicU64::new(0),
            head_bucket: AtomicU64::new(0),
            applied: Signal::new(LogSeq(0)),
            replayed: Signal::new(false),
            lost: Arc::new(Signal::new(None)),
            lease: Mutex::new(None),
            lease_check: tokio::sync::Mutex::new(()),
            marks: tokio::sync::Mutex::new(marks),
            attributes: metrics::log_attribute(log),
            logs,
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.logs.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.logs.clock
    }

    pub(crate) fn config(&self) -> &LogConfig {
        &self.logs.config
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.logs.metrics
    }

    pub(crate) fn buckets(&self) -> Buckets {
        Buckets(self.config().bucket_len)
    }

    pub(crate) fn next_seq(&self) -> LogSeq {
        LogSeq(self.next_seq.load(Ordering::Acquire))
    }

    pub(crate) fn set_next_seq(&self, seq: LogSeq) {
        self.next_seq.store(seq.0, Ordering::Release);
    }

    pub(crate) fn head_bucket(&self) -> u64 {
        self.head_bucket.load(Ordering::Acquire)
    }

    pub(crate) fn set_head_bucket(&self, bucket: u64) {
        self.head_bucket.store(bucket, Ordering::Release);
    }

    pub(crate) fn applied(&self) -> LogSeq {
        self.applied.get()
    }

    /// The owner row that this owner writes.
    pub(crate) fn owner_row(&self, marks: Marks) -> OwnerRow {
        OwnerRow {
            epoch: self.epoch,
            owner: self.node.id.clone(),
            addr: self.node.addr.clone(),
            first_bucket: marks.first_bucket,
            hint_bucket: marks.hint_bucket,
        }
    }

    /// The epoch was seen to be this owner's by an operation that began at `began`.
    pub(crate) fn extend_lease(&self, began: Duration) {
        let mut lease = self.lease.lock();
        if lease.is_none_or(|held| held < began) {
            *lease = Some(began);
        }
    }

    pub(crate) fn has_lease(&self) -> bool {
        let began = *self.lease.lock();
        began.is_some_and(|began| self.clock().monotonic() < began + self.config().lease) && self.lost.get().is_none()
    }

    /// Why the log is lost, as the error of a call.
    pub(crate) fn not_owner(reason: &LostReason) -> LogError {
        LogError::NotOwner { owner: reason.owner().cloned() }
    }

    /// Ends this ownership, for the first reason given. What was queued did not happen; of what is under way nobody knows.
    pub(crate) fn lose(&self, reason: LostReason) {
        let config = self.config();
        let mut queue = {
            let mut intake = self.intake.lock();
            if intake.lost.is_some() {
                return;
            }
            intake.lost = Some(reason.clone());
            intake.flush = None;
            intake.requests = Requests::new(config.request_memory_entries, config.request_memory);
            std::mem::replace(&mut intake.queue, Queue::new(0, 0))
        };
        if let LostReason::Damaged(what) = &reason {
            self.metrics().damages.add(1, &self.attributes);
            tracing::error!(log = %self.log, epoch = %self.epoch, "the log is damaged: {what}");
        } else {
            tracing::info!(log = %self.log, epoch = %self.epoch, ?reason, "no longer the owner");
        }
        while let Some(group) = queue.pop() {
            // Nobody may be waiting any more.
            let _ = group.answer.send(Err(Self::not_owner(&reason)));
        }
        self.lost.set(Some(reason));
    }

    /// A later epoch was seen: finds out whose.
    pub(crate) async fn fenced(&self) -> LostReason {
        *self.lease.lock() = None;
        let read = tokio::time::timeout(Duration::from_secs(1), self.store().read_owner(self.log)).await;
        let owner = read.ok().and_then(Result::ok).flatten().filter(|row| row.epoch > self.epoch);
        LostReason::Fenced { owner }
    }

    /// Resolves once the log is lost.
    pub(crate) async fn until_lost(&self) -> LostReason {
        lost(self.lost.clone()).await
    }
}

/// Resolves once a reason is there.
pub(crate) async fn lost(reason: Arc<Signal<Option<LostReason>>>) -> LostReason {
    reason.wait_for(Option::is_some).await.unwrap_or(LostReason::Released { owner: None })
}
