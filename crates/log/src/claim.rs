//! Taking a log over, in two steps: an epoch of one's own from `shard_owner`, then the heads from the hint on are raised to it, each
//! before it is read, so that whatever an earlier owner still has under way either counts or never happens.
//!
//! The first step takes the log from the owner that the caller judged to be gone, and from no other: if two processes judge at the same
//! time, the second one's claim finds the first one there.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};
use banyan_proto::log as wire;
use banyan_store::{Cas, Head, OwnerRow, Store, StoreError, key};
use prost::Message;

use crate::{
    Applier, ClaimError, Entry, Node, Source,
    apply::apply,
    header::{self, Slot},
    logs::Inner,
    place::Buckets,
    retry::{Backoff, Deadline, is_transient, until_answered},
    shared::{Marks, Shared},
    sources,
    tables::LOG_PROGRESS,
};

/// Entries read at once.
const PAGE: usize = 256;

/// What a new owner starts from.
pub(crate) struct Restored {
    /// The end of the log.
    pub(crate) end: LogSeq,
    /// The timestamp of its last entry; 0 if it is empty.
    pub(crate) last: TimestampMicros,
    /// What was committed and not applied began here.
    pub(crate) tail: LogSeq,
    /// The timestamp of the entry there, if there is one.
    pub(crate) first_tail: Option<TimestampMicros>,
    /// From here to the tail, rows may have been lost with the store.
    pub(crate) replay_from: LogSeq,
    /// The mark that was stored.
    pub(crate) safe: LogSeq,
}

/// A claim under way.
struct Claim<'a> {
    logs: &'a Arc<Inner>,
    log: LogId,
    node: &'a Node,
    /// The epoch of the owner row that the caller judged; `None` if there was no row.
    judged: Option<Epoch>,
    deadline: Deadline,
}

/// The log's end as the fence found it.
struct Fenced {
    row: OwnerRow,
    bucket: u64,
    end: LogSeq,
    /// When the last head was read.
    began: Duration,
}

/// Claims a log: fences, applies what is left over, and answers the state that the owner's task runs on.
pub(crate) async fn claim(
    logs: &Arc<Inner>,
    log: LogId,
    judged: Option<Epoch>,
    node: &Node,
    applier: Arc<dyn Applier>,
) -> Result<(Arc<Shared>, Restored), ClaimError> {
    let lock = logs.claim_lock(log);
    let _alone = lock.lock().await;
    let clock = &*logs.clock;
    let deadline = Deadline::after(clock, logs.config.claim_timeout);
    let claim = Claim { logs, log, node, judged, deadline };
    // The three do not depend on each other; progress that is read early is merely lower.
    let (fenced, clocks, progress) = tokio::join!(
        claim.fence(),
        until_answered(clock, deadline, || compare_clocks(logs)),
        until_answered(clock, deadline, || read_progress(&*logs.store, log)),
    );
    clocks?.map_err(|off| ClaimError::ClockSkew { off })?;
    let (fenced, (applied, safe)) = (fenced?, progress?);
    let marks = Marks { first_bucket: fenced.row.first_bucket, hint_bucket: fenced.row.hint_bucket };
    let shared = Arc::new(Shared::new(logs.clone(), log, node.clone(), fenced.row.epoch, applier, marks));
    shared.set_next_seq(fenced.end);
    shared.set_head_bucket(fenced.bucket);
    shared.extend_lease(fenced.began);
    let restored = claim.restore(&shared, fenced.end, applied, safe).await?;
    shared.applied.set(restored.end);
    Ok((shared, restored))
}

impl Claim<'_> {
    fn store(&self) -> &dyn Store {
        &*self.logs.store
    }

    fn buckets(&self) -> Buckets {
        Buckets(self.logs.config.bucket_len)
    }

    async fn answered<T, F: Future<Output = Result<T, StoreError>>>(&self, operation: impl FnMut() -> F) -> Result<T, StoreError> {
        until_answered(&*self.logs.clock, self.deadline, operation).await
    }

    fn damaged(&self, what: String) -> ClaimError {
        tracing::error!(log = %self.log, "the log is damaged: {what}");
        self.logs.metrics.damages.add(1, &crate::metrics::log_attribute(self.log));
        ClaimError::Damaged { log: self.log, what }
    }

    /// Both steps.
    async fn fence(&self) -> Result<Fenced, ClaimError> {
        let row = match self.answered(|| self.store().read_owner(self.log)).await? {
            there if there.as_ref().map(|row| row.epoch) != self.judged => return Err(ClaimError::Taken { owner: there }),
            None => self.create().await?,
            Some(row) if row.owner == self.node.id => match self.adopt(row).await? {
                Ok(fenced) => return Ok(fenced),
                Err(row) => self.take(row).await?,
            },
            Some(row) => self.take(row).await?,
        };
        self.walk(row, false).await
    }

    /// A log that was handed over to this node has its epoch already, unless something used it before: then it takes a new one.
    async fn adopt(&self, row: OwnerRow) -> Result<Result<Fenced, OwnerRow>, ClaimError> {
        match self.store().raise_head(self.log, row.hint_bucket, row.epoch, &self.node.id).await {
            Ok(Cas::Applied) => self.walk(row, true).await.map(Ok),
            Ok(Cas::Refused(_)) | Err(StoreError::Unknown(_)) => Ok(Err(row)),
            Err(error) => Err(error.into()),
        }
    }

    /// The first owner of all: the head comes first, so that an owner row always points at one.
    async fn create(&self) -> Result<OwnerRow, ClaimError> {
        let head = Head { epoch: Epoch(0), owner: String::new(), next_seq: LogSeq(0), batch_id: 0 };
        self.answered(|| self.store().create_head(self.log, 0, head.clone())).await?;
        let row = self.row(Epoch(1), 0, 0);
        self.settle(&row, || self.store().create_owner(self.log, row.clone())).await?;
        Ok(row)
    }

    /// Step 1: the next epoch.
    async fn take(&self, before: OwnerRow) -> Result<OwnerRow, ClaimError> {
        let row = self.row(before.epoch.next(), before.first_bucket, before.hint_bucket);
        self.settle(&row, || self.store().replace_owner(self.log, before.epoch, row.clone())).await?;
        Ok(row)
    }

    fn row(&self, epoch: Epoch, first_bucket: u64, hint_bucket: u64) -> OwnerRow {
        OwnerRow { epoch, owner: self.node.id.clone(), addr: self.node.addr.clone(), first_bucket, hint_bucket }
    }

    /// Writes the owner row; an unknown outcome is judged by who is the owner. Claims of one process never overlap, so a row that
    /// names it in this epoch is this claim's.
    async fn settle<F>(&self, row: &OwnerRow, mut write: impl FnMut() -> F) -> Result<(), ClaimError>
    where
        F: Future<Output = Result<Cas<OwnerRow>, StoreError>>,
    {
        let mut unknown = false;
        let mut backoff = Backoff::new();
        loop {
            match write().await {
                Ok(Cas::Applied) => return Ok(()),
                Ok(Cas::Refused(Some(there))) if unknown && there.epoch == row.epoch && there.owner == row.owner => return Ok(()),
                Ok(Cas::Refused(owner)) => return Err(ClaimError::Taken { owner }),
                Err(error) if is_transient(&error) && !self.deadline.has_passed(&*self.logs.clock) => {
                    unknown |= matches!(error, StoreError::Unknown(_));
                    backoff.wait().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Step 2: raises the heads from the hint on, and finds the end of the log.
    async fn walk(&self, row: OwnerRow, mut raised: bool) -> Result<Fenced, ClaimError> {
        let mut bucket = row.hint_bucket;
        loop {
            #[cfg(test)]
            let early = self.answered(|| self.store().read_head(self.log, bucket)).await?;
            if !raised {
                self.raise(bucket, row.epoch).await?;
            }
            let began = self.logs.clock.monotonic();
            let head = self.answered(|| self.store().read_head(self.log, bucket)).await?;
            #[cfg(test)]
            let head = match self.logs.config.sabotage {
                Some(crate::sim::Sabotage::ReadBeforeFence) => early.map(|head| Head { epoch: row.epoch, ..head }),
                _ => head,
            };
            let head = head.ok_or_else(|| self.damaged(format!("the head of bucket {bucket} vanished")))?;
            if head.epoch > row.epoch {
                return Err(ClaimError::Taken { owner: None });
            }
            let (first, end) = (self.buckets().first(bucket), self.buckets().end(bucket));
            if head.next_seq < first || head.next_seq > end {
                return Err(self.damaged(format!("the head of bucket {bucket} stands at {}", head.next_seq)));
            }
            if head.next_seq < end {
                return Ok(Fenced { row, bucket, end: head.next_seq, began });
            }
            bucket += 1;
            let next = Head { epoch: row.epoch, owner: self.node.id.clone(), next_seq: end, batch_id: 0 };
            if self.answered(|| self.store().create_head(self.log, bucket, next.clone())).await? == Cas::Applied {
                return Ok(Fenced { row, bucket, end, began });
            }
            raised = false;
        }
    }

    async fn raise(&self, bucket: u64, epoch: Epoch) -> Result<(), ClaimError> {
        match self.answered(|| self.store().raise_head(self.log, bucket, epoch, &self.node.id)).await? {
            Cas::Applied => Ok(()),
            Cas::Refused(Some(head)) if head.epoch == epoch => Ok(()),
            Cas::Refused(Some(head)) if head.epoch > epoch => Err(ClaimError::Taken { owner: None }),
            Cas::Refused(Some(_)) => Err(self.damaged(format!("the head of bucket {bucket} cannot be raised"))),
            Cas::Refused(None) => Err(self.damaged(format!("bucket {bucket} has no head"))),
        }
    }

    /// Applies what was committed and not applied, and finds what must be applied again.
    async fn restore(&self, shared: &Shared, end: LogSeq, applied: LogSeq, safe: LogSeq) -> Result<Restored, ClaimError> {
        for source in self.answered(|| sources::load(self.store(), self.log)).await? {
            shared.intake.lock().sources.commit(source);
        }
        let first = self.buckets().first(shared.marks.lock().await.first_bucket);
        let tail = applied.clamp(first.min(end), end);
        let mut restored = Restored {
            end,
            last: TimestampMicros(0),
            tail,
            first_tail: None,
            replay_from: safe.clamp(first.min(tail), tail),
            safe,
        };
        let mut position = tail;
        #[cfg(test)]
        if self.logs.config.sabotage == Some(crate::sim::Sabotage::SkipTail) {
            position = end;
        }
        let mut backoff = Backoff::new();
        while position < end {
            match apply_page(shared, position, end).await {
                Ok(page) => {
                    restored.first_tail = restored.first_tail.or(page.first);
                    restored.last = page.last;
                    position = page.next;
                }
                Err(error) => self.endure(error, &mut backoff).await?,
            }
        }
        while restored.last == TimestampMicros(0) && end > LogSeq(0) {
            match read_page(shared, LogSeq(end.0 - 1), end).await {
                Ok(page) => restored.last = page.last,
                Err(error) => self.endure(error, &mut backoff).await?,
            }
        }
        Ok(restored)
    }

    /// What must be there and cannot be read is tried again, for a while.
    async fn endure(&self, error: StoreError, backoff: &mut Backoff) -> Result<(), ClaimError> {
        match error {
            StoreError::Corrupt(what) => Err(self.damaged(what)),
            error if is_transient(&error) && !self.deadline.has_passed(&*self.logs.clock) => {
                backoff.wait().await;
                Ok(())
            }
            error => Err(error.into()),
        }
    }
}

/// A run of entries, as read.
pub(crate) struct Page {
    slots: Vec<Slot>,
    /// The timestamp of the first place.
    pub(crate) first: Option<TimestampMicros>,
    /// The timestamp of the last place.
    pub(crate) last: TimestampMicros,
    /// Where to go on.
    pub(crate) next: LogSeq,
}

/// Reads places from `from` on, at least one, none at or beyond `to`, all of one bucket. They were committed, so that a hole means that
/// the store does not show them yet.
async fn read_page(shared: &Shared, from: LogSeq, to: LogSeq) -> Result<Page, StoreError> {
    let buckets = shared.buckets();
    let limit = usize::try_from((to.0 - from.0).min(buckets.room(from))).unwrap_or(PAGE).min(PAGE);
    let rows = shared.store().read_log(shared.log, buckets.of(from), from, limit).await?;
    let mut slots = Vec::with_capacity(rows.len());
    for (seq, row) in (from.0..).zip(rows) {
        if row.seq.0 != seq {
            break;
        }
        slots.push(header::decode_row(shared.log, row)?);
    }
    let first = slots.first().map(Slot::timestamp);
    let Some(last) = slots.last().map(Slot::timestamp) else {
        return Err(StoreError::Unavailable(format!("entry {from} of {} is not to be seen", shared.log)));
    };
    let next = from.plus(slots.len() as u64);
    Ok(Page { slots, first, last, next })
}

/// Reads places, applies them and remembers what they say of requests and sources.
pub(crate) async fn apply_page(shared: &Shared, from: LogSeq, to: LogSeq) -> Result<Page, StoreError> {
    let mut page = read_page(shared, from, to).await?;
    let entries: Vec<Entry> = std::mem::take(&mut page.slots).into_iter().filter_map(Slot::into_entry).collect();
    apply(shared, &entries).await;
    let mut intake = shared.intake.lock();
    for entry in &entries {
        #[cfg(test)]
        if shared.config().sabotage == Some(crate::sim::Sabotage::ForgetRequests) {
            continue;
        }
        if let Some((id, _)) = entry.request {
            intake.requests.remember(id, entry.seq, entry.timestamp);
        }
        entry.source.iter().for_each(|source: &Source| intake.sources.commit(*source));
    }
    Ok(page)
}

/// How far the log was applied and synced when that was last stored.
pub(crate) async fn read_progress(store: &dyn Store, log: LogId) -> Result<(LogSeq, LogSeq), StoreError> {
    let Some(row) = store.get(&LOG_PROGRESS, &key![log.to_string()], &key![]).await? else {
        return Ok((LogSeq(0), LogSeq(0)));
    };
    let row =
        wire::LogProgress::decode(row.value).map_err(|error| StoreError::Corrupt(format!("log_progress of {log}: {error}")))?;
    Ok((LogSeq(row.applied), LogSeq(row.safe)))
}

/// Compares this process's clock with the store's; the inner error is by how much they differ when that is too much.
pub(crate) async fn compare_clocks(logs: &Inner) -> Result<Result<(), Duration>, StoreError> {
    let before = logs.clock.now();
    let Some(theirs) = logs.store.store_time().await? else { return Ok(Ok(())) };
    let after = logs.clock.now();
    // The store looked at its clock at some time in between.
    let off = before.since(theirs).max(theirs.since(after));
    Ok(if off > logs.config.max_clock_skew { Err(off) } else { Ok(()) })
}
