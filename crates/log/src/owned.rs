//! A log as its owner has it.

use std::{future::Future, sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, LogSeq, RequestId};
use banyan_store::{Cas, KeyPart, OwnerRow, Range, StoreError, key};
use tokio::{sync::oneshot, task::AbortHandle};

use crate::{
    Entry, LogError, LostReason, Node, Pending, Proposal, Source,
    apply::request_partition,
    background::{self, write_progress},
    claim::Restored,
    header::{self, Slot},
    queue::{Group, size_of_entry, size_of_group},
    requests::Found,
    retry::{Backoff, Deadline, is_transient},
    shared::{self, Intake, Shared},
    sources::Effect,
    tables::LOG_REQUEST,
    trace,
};

/// When to come back to a full queue: it is empty by then unless the store is slow.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// A log that this process owns: the only one that may append to it. Clones share it; it ends when the last is dropped, when it is
/// released, or when it is lost to another owner.
#[derive(Clone)]
pub struct OwnedLog(Arc<Handle>);

/// Ends the owner's task with the last clone.
struct Handle {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lose(LostReason::Released { owner: None });
        self.task.abort();
    }
}

impl OwnedLog {
    pub(crate) fn start(shared: Arc<Shared>, restored: Restored) -> Self {
        let task = tokio::spawn(background::run(shared.clone(), restored)).abort_handle();
        Self(Arc::new(Handle { shared, task }))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Which log.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.shared().log
    }

    /// The term of ownership.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared().epoch
    }

    /// Entries below this are applied.
    #[must_use]
    pub fn applied(&self) -> LogSeq {
        self.shared().applied()
    }

    /// Queues proposals as one atomic group: consecutive entries, all of them or none, at most 250 and 900 KiB. Groups of one lane
    /// ([`Proposal::lane`]) enter the log in the order of the calls. Never waits: [`LogError::Overloaded`] if too much is waiting.
    /// [`LogError::Repeat`] if the log already holds the effect of a proposal's source, [`LogError::Overloaded`] while it is on its way.
    ///
    /// Dropping the answer does not take the proposals back.
    pub fn propose(&self, group: Vec<Proposal>) -> Result<Pending, LogError> {
        let shared = self.shared();
        let bytes = self.check_size(&group)?;
        let (answer, pending) = Pending::new();
        let Some(first) = group.first() else {
            let _ = answer.send(Ok(Vec::new()));
            return Ok(pending);
        };
        let (traceparent, span) = (trace::current_traceparent(), trace::append(shared.log, group.len()));
        let mut intake = shared.intake.lock();
        check_open(&intake)?;
        if !intake.queue.admits(&first.tenant, first.lane, group.len(), bytes) {
            shared.metrics().overloaded.add(1, &[]);
            return Err(LogError::Overloaded { retry_after: RETRY_AFTER });
        }
        for source in group.iter().filter_map(|proposal| proposal.source.as_ref()) {
            if is_repeat(&intake, source)? {
                return Err(LogError::Repeat);
            }
        }
        group.iter().filter_map(|proposal| proposal.source).for_each(|source| intake.sources.queue(source));
        let indexes = group.iter().map(|proposal| proposal.request_id.map_or(0, |id| intake.requests.reserve(id))).collect();
        intake.queue.push(Group::new(group, indexes, traceparent, answer).within(span));
        drop(intake);
        shared.wake.notify_one();
        Ok(pending)
    }

    fn check_size(&self, group: &[Proposal]) -> Result<usize, LogError> {
        let config = self.shared().config();
        let bucket = usize::try_from(config.bucket_len).unwrap_or(usize::MAX);
        let most = config.max_group_entries.min(config.max_batch_entries).min(bucket);
        if group.len() > most {
            return Err(LogError::TooLarge(format!("a group has at most {most} entries, not {}", group.len())));
        }
        if let Some(entry) = group.iter().map(size_of_entry).find(|size| *size > config.max_entry_bytes) {
            return Err(LogError::TooLarge(format!("an entry has at most {} bytes, not {entry}", config.max_entry_bytes)));
        }
        let bytes = size_of_group(group);
        let most = config.max_group_bytes.min(config.max_batch_bytes);
        if bytes > most {
            return Err(LogError::TooLarge(format!("a group has at most {most} bytes, not {bytes}")));
        }
        Ok(bytes)
    }

    /// The entries that a request caused, if it was seen within the last hour; waits for those under way. `None` means that this log
    /// holds and will hold nothing of it but what the caller proposes from now on.
    pub async fn find_request(&self, id: RequestId) -> Result<Option<Vec<Entry>>, LogError> {
        let shared = self.shared();
        loop {
            let position = shared.applied();
            let found = {
                let intake = shared.intake.lock();
                check_owned(&intake)?;
                intake.requests.find(id, position, shared.clock().now())
            };
            match found {
                Found::Absent => return Ok(None),
                Found::At(seqs) => return self.read_entries(seqs).await.map(Some),
                Found::UnderWay => self.unless_lost(shared.applied.wait_for(|applied| *applied != position)).await.map(drop)?,
                #[cfg(test)]
                Found::Unsure if shared.config().sabotage == Some(crate::sim::Sabotage::ForgetRequests) => return Ok(None),
                Found::Unsure if shared.replayed.get() => return self.look_up_request(id).await,
                Found::Unsure => self.unless_lost(shared.replayed.wait_for(|done| *done)).await.map(drop)?,
            }
        }
    }

    /// Asks the derived rows, which reach back further than memory.
    async fn look_up_request(&self, id: RequestId) -> Result<Option<Vec<Entry>>, LogError> {
        let shared = self.shared();
        let range = Range::prefix(key![&id.to_bytes()[..]], 1000);
        let page = shared.store().scan(&LOG_REQUEST, &request_partition(shared.log, id), range).await.map_err(unavailable)?;
        let seq = |key: &KeyPart| key.as_int().and_then(|seq| u64::try_from(seq).ok()).map(LogSeq);
        let seqs: Vec<LogSeq> = page.rows.iter().filter_map(|row| row.clustering.get(1).and_then(seq)).collect();
        if seqs.is_empty() { Ok(None) } else { self.read_entries(seqs).await.map(Some) }
    }

    /// Reads entries; those that retention dropped are left out.
    async fn read_entries(&self, seqs: Vec<LogSeq>) -> Result<Vec<Entry>, LogError> {
        let shared = self.shared();
        let mut entries = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let rows = shared.store().read_log(shared.log, shared.buckets().of(seq), seq, 1).await.map_err(unavailable)?;
            for row in rows.into_iter().filter(|row| row.seq == seq) {
                entries.extend(header::decode_row(shared.log, row).map(Slot::into_entry).map_err(unavailable)?);
            }
        }
        Ok(entries)
    }

    async fn unless_lost<T>(&self, wait: impl Future<Output = T>) -> Result<T, LogError> {
        tokio::select! {
            biased;
            done = wait => Ok(done),
            reason = self.shared().until_lost() => Err(Shared::not_owner(&reason)),
        }
    }

    /// Whether the effect of `source`, or of a later entry of its log, is in this log already. [`LogError::Overloaded`] while it is on
    /// its way, and for a moment after a claim, while that is being found out.
    pub fn is_repeat(&self, source: &Source) -> Result<bool, LogError> {
        is_repeat(&self.shared().intake.lock(), source)
    }

    /// Waits until all that the store may have lost was applied again.
    #[cfg(test)]
    pub(crate) async fn until_replayed(&self) {
        self.shared().replayed.wait_for(|done| *done).await;
    }

    /// Ends it at once, as the death of the process would.
    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.0.task.abort();
        self.shared().lose(LostReason::Released { owner: None });
    }

    /// Ok if this owner may answer from memory: its last append or SERIAL head check began under 2 s ago. Does the check if not.
    pub async fn check_lease(&self) -> Result<(), LogError> {
        let shared = self.shared();
        if shared.has_lease() {
            return Ok(());
        }
        // One check serves all who wait.
        let _one = shared.lease_check.lock().await;
        if shared.has_lease() {
            return Ok(());
        }
        check_owned(&shared.intake.lock())?;
        let began = shared.clock().monotonic();
        let bucket = shared.head_bucket();
        let reason = match shared.store().read_head(shared.log, bucket).await.map_err(unavailable)? {
            Some(head) if head.epoch == shared.epoch => {
                shared.extend_lease(began);
                return check_owned(&shared.intake.lock());
            }
            Some(head) if head.epoch > shared.epoch => shared.fenced().await,
            head => LostReason::Damaged(format!("the head of bucket {bucket} is {head:?} in epoch {}", shared.epoch)),
        };
        let error = Shared::not_owner(&reason);
        shared.lose(reason);
        Err(error)
    }

    /// Resolves when the log is lost: whoever holds memory of the shard drops it. The future does not keep the log alive.
    pub fn lost(&self) -> impl Future<Output = LostReason> + Send + use<> {
        shared::lost(self.shared().lost.clone())
    }

    /// Before a [`OwnedLog::release`], while the log still takes proposals: saves the next owner from applying again what is applied by
    /// now.
    pub async fn prepare_release(&self) {
        let shared = self.shared();
        let (_, safe) = crate::claim::read_progress(shared.store(), shared.log).await.unwrap_or_default();
        if let Err(error) = write_progress(shared, shared.applied(), safe).await {
            tracing::warn!(log = %shared.log, %error, "progress was not stored; the next owner applies a little more again");
        }
    }

    /// Takes no more proposals, waits until all are committed and applied, then writes `to` (or nobody) into `shard_owner` with the
    /// next epoch, which it answers. The log is lost to this process whatever comes of it, also if the call is cancelled; on an
    /// error `shard_owner` may name this process still, and any may claim.
    pub async fn release(&self, to: Option<Node>) -> Result<Epoch, LogError> {
        let shared = self.shared();
        let (done, flushed) = oneshot::channel();
        {
            let mut intake = shared.intake.lock();
            check_open(&intake)?;
            intake.frozen = true;
            intake.flush = Some(done);
        }
        let _ends = ReleaseGuard(shared);
        shared.wake.notify_one();
        self.unless_lost(async { drop(flushed.await) }).await?;
        check_owned(&shared.intake.lock())?;
        let to = to.unwrap_or_else(|| Node { id: String::new(), addr: String::new() });
        let row = self.hand_over(to).await?;
        let epoch = row.epoch;
        shared.lose(LostReason::Released { owner: Some(row).filter(|row| !row.owner.is_empty()) });
        Ok(epoch)
    }

    /// Writes the next owner; an unknown outcome is judged by who is the owner.
    async fn hand_over(&self, to: Node) -> Result<OwnerRow, LogError> {
        let shared = self.shared();
        let marks = shared.marks.lock().await;
        let hint_bucket = marks.hint_bucket.max(shared.head_bucket());
        let epoch = shared.epoch.next();
        let row = OwnerRow { epoch, owner: to.id, addr: to.addr, first_bucket: marks.first_bucket, hint_bucket };
        let deadline = Deadline::after(shared.clock(), shared.config().give_up_after);
        let (mut unknown, mut backoff) = (false, Backoff::new());
        loop {
            match shared.store().replace_owner(shared.log, shared.epoch, row.clone()).await {
                Ok(Cas::Applied) => return Ok(row),
                Ok(Cas::Refused(Some(there))) if unknown && there.epoch == row.epoch && there.owner == row.owner => return Ok(row),
                Ok(Cas::Refused(owner)) => return Err(LogError::NotOwner { owner }),
                Err(error) if is_transient(&error) && !deadline.has_passed(shared.clock()) => {
                    unknown |= matches!(error, StoreError::Unknown(_));
                    backoff.wait().await;
                }
                Err(error) if unknown => return Err(LogError::Unknown(error.to_string())),
                Err(error) => return Err(unavailable(error)),
            }
        }
    }
}

/// A release that ends early, for whatever reason, leaves a log that takes nothing: it is lost.
struct ReleaseGuard<'a>(&'a Shared);

impl Drop for ReleaseGuard<'_> {
    fn drop(&mut self) {
        self.0.lose(LostReason::Released { owner: None });
    }
}

#[expect(clippy::needless_pass_by_value, reason = "this is how map_err passes it")]
fn unavailable(error: StoreError) -> LogError {
    LogError::Unavailable(error.to_string())
}

fn check_owned(intake: &Intake) -> Result<(), LogError> {
    intake.lost.as_ref().map_or(Ok(()), |reason| Err(Shared::not_owner(reason)))
}

fn check_open(intake: &Intake) -> Result<(), LogError> {
    check_owned(intake)?;
    if intake.frozen { Err(LogError::NotOwner { owner: None }) } else { Ok(()) }
}

fn is_repeat(intake: &Intake, source: &Source) -> Result<bool, LogError> {
    match intake.sources.find(source) {
        Effect::Committed => Ok(true),
        Effect::New => Ok(false),
        Effect::UnderWay => Err(LogError::Overloaded { retry_after: RETRY_AFTER }),
    }
}
