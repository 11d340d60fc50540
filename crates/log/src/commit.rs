//! Gives proposals their place: one batch at a time, what arrives meanwhile is the next.

use std::{sync::Arc, time::Duration};

use banyan_core::{LogSeq, TimestampMicros};
use banyan_store::{Append, Cas, Head, LogRow, StoreError};
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use crate::{
    Committed, Entry, LostReason, Proposal, header,
    pending::Answer,
    queue::Group,
    retry::{Backoff, Deadline, is_transient, until_answered},
    shared::Shared,
    trace,
};

/// What the committer hands to the applier.
pub(crate) enum Work {
    /// A committed batch.
    Batch(Batch),
    /// To be answered when everything before it is applied.
    Flush(oneshot::Sender<()>),
}

/// Entries of one append, and who waits for them.
pub(crate) struct Batch {
    pub(crate) rows: Vec<LogRow>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) answers: Vec<(Answer, Vec<Committed>)>,
    /// The spans of those who wait, where something is traced.
    pub(crate) spans: Vec<Span>,
    /// The end of the log after it.
    pub(crate) next: LogSeq,
}

/// How an append failed.
enum Failure {
    /// It did not happen and never will.
    Refused(LostReason),
    /// Nobody knows.
    Unknown(LostReason),
}

/// The task that appends.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    next: LogSeq,
    /// The timestamp of the last entry.
    last: TimestampMicros,
    work: mpsc::Sender<Work>,
}

impl Committer {
    pub(crate) const fn new(shared: Arc<Shared>, next: LogSeq, last: TimestampMicros, work: mpsc::Sender<Work>) -> Self {
        Self { shared, next, last, work }
    }

    /// Appends until the log is lost.
    pub(crate) async fn run(mut self) -> LostReason {
        let shared = self.shared.clone();
        loop {
            let Ok(permit) = self.work.clone().reserve_owned().await else {
                return LostReason::Damaged("the applier ended".to_owned());
            };
            let Some(batch) = self.plan() else {
                match self.take_flush() {
                    Some(flush) => drop(permit.send(Work::Flush(flush))),
                    None => shared.wake.notified().await,
                }
                continue;
            };
            let batch = match self.append(batch).await {
                Ok(batch) => batch,
                Err((Failure::Refused(reason), batch)) => {
                    for (answer, _) in batch.answers {
                        let _ = answer.send(Err(Shared::not_owner(&reason)));
                    }
                    return reason;
                }
                // Dropping the answers says so.
                Err((Failure::Unknown(reason), _)) => return reason,
            };
            self.committed(&batch);
            permit.send(Work::Batch(batch));
            if let Err(reason) = self.open_bucket().await {
                return reason;
            }
        }
    }

    fn take_flush(&self) -> Option<oneshot::Sender<()>> {
        let mut intake = self.shared.intake.lock();
        if intake.queue.len() == 0 { intake.flush.take() } else { None }
    }

    /// The next batch: whole groups, as many as fit; padding where a group would cross the bucket's end.
    fn plan(&mut self) -> Option<Batch> {
        let (groups, padding) = self.take_groups();
        let now = self.shared.clock().now();
        let mut batch = Batch { rows: Vec::new(), entries: Vec::new(), answers: Vec::new(), spans: Vec::new(), next: self.next };
        for group in groups {
            self.place(&mut batch, group, now);
        }
        for _ in 0..padding {
            let timestamp = self.tick(now);
            batch.rows.push(header::padding(batch.next, timestamp));
            batch.next = batch.next.plus(1);
        }
        (!batch.rows.is_empty()).then_some(batch)
    }

    fn take_groups(&self) -> (Vec<Group>, usize) {
        let config = self.shared.config();
        let room = usize::try_from(self.shared.buckets().room(self.next)).unwrap_or(usize::MAX);
        let (mut groups, mut entries, mut bytes) = (Vec::new(), 0, 0);
        let mut intake = self.shared.intake.lock();
        while let Some(group) = intake.queue.peek() {
            let left = room - entries;
            if group.len() > left {
                let padding = if entries + left <= config.max_batch_entries { left } else { 0 };
                return (groups, padding);
            }
            let full = entries + group.len() > config.max_batch_entries || bytes + group.bytes() > config.max_batch_bytes;
            if full && entries > 0 {
                break;
            }
            entries += group.len();
            bytes += group.bytes();
            groups.extend(intake.queue.pop());
        }
        (groups, 0)
    }

    fn place(&mut self, batch: &mut Batch, group: Group, now: TimestampMicros) {
        let Group { proposals, indexes, traceparent, answer, span, .. } = group;
        let mut committed = Vec::with_capacity(proposals.len());
        for (proposal, index) in proposals.into_iter().zip(indexes) {
            let Proposal { request_id, targets, source, body, .. } = proposal;
            let entry = Entry {
                log: self.shared.log,
                seq: batch.next,
                timestamp: self.tick(now),
                request: request_id.map(|id| (id, index)),
                targets: targets.into_iter().collect(),
                source,
                traceparent: traceparent.clone(),
                body,
            };
            batch.rows.push(LogRow { seq: entry.seq, header: header::encode(&entry), body: entry.body.clone() });
            committed.push(Committed { seq: entry.seq, timestamp: entry.timestamp });
            batch.entries.push(entry);
            batch.next = batch.next.plus(1);
        }
        batch.answers.push((answer, committed));
        batch.spans.extend(Some(span).filter(|span| !span.is_disabled()));
    }

    /// The timestamp of the next entry.
    fn tick(&mut self, now: TimestampMicros) -> TimestampMicros {
        #[cfg(test)]
        if self.shared.config().sabotage == Some(crate::sim::Sabotage::PlainTimestamps) {
            return now;
        }
        self.last = TimestampMicros(now.0.max(self.last.0 + 2));
        self.last
    }

    /// Appends until the outcome is known: "not committed" is never concluded from silence.
    async fn append(&self, batch: Batch) -> Result<Batch, (Failure, Batch)> {
        let shared = &self.shared;
        let append = Append {
            bucket: shared.buckets().of(self.next),
            epoch: shared.epoch,
            next_seq: self.next,
            batch_id: self.batch_id(),
            rows: batch.rows.clone(),
        };
        let _spans = trace::commit(&batch.spans, batch.rows.len());
        let began = shared.clock().monotonic();
        let deadline = Deadline::after(shared.clock(), shared.config().give_up_after);
        let mut backoff = Backoff::new();
        let mut unknown = false;
        loop {
            let sent = shared.clock().monotonic();
            let outcome = shared.store().append(shared.log, &append).await;
            match self.judge(&append, outcome, &mut unknown, deadline, sent).await {
                Some(Ok(())) => {
                    self.measure(&batch, began);
                    return Ok(batch);
                }
                Some(Err(failure)) => return Err((failure, batch)),
                None => backoff.wait().await,
            }
        }
    }

    /// What an answer to an append means; `None`: send it again.
    async fn judge(
        &self,
        append: &Append,
        outcome: Result<Cas<Head>, StoreError>,
        unknown: &mut bool,
        deadline: Deadline,
        sent: Duration,
    ) -> Option<Result<(), Failure>> {
        let shared = &self.shared;
        match outcome {
            Ok(Cas::Applied) => {
                shared.extend_lease(sent);
                Some(Ok(()))
            }
            Ok(Cas::Refused(Some(head))) if head.batch_id == append.batch_id && head.epoch == append.epoch => {
                shared.extend_lease(sent);
                Some(Ok(()))
            }
            Ok(Cas::Refused(Some(head))) if head.epoch > append.epoch => {
                let happened = *unknown || head.batch_id == append.batch_id;
                let reason = shared.fenced().await;
                Some(Err(if happened { Failure::Unknown(reason) } else { Failure::Refused(reason) }))
            }
            Ok(Cas::Refused(head)) => Some(Err(Failure::Unknown(self.damage(append, head.as_ref())))),
            Err(error) if is_transient(&error) => {
                if matches!(error, StoreError::Unknown(_)) && !*unknown {
                    *unknown = true;
                    shared.metrics().unknown_outcomes.add(1, &shared.attributes);
                }
                tracing::warn!(log = %shared.log, at = %append.next_seq, %error, "an append was not answered; sending it again");
                #[cfg(test)]
                if *unknown && shared.config().sabotage == Some(crate::sim::Sabotage::SilenceMeansNo) {
                    return Some(Err(Failure::Refused(LostReason::GaveUp("sabotage".to_owned()))));
                }
                let reason = LostReason::GaveUp(error.to_string());
                let failure = if *unknown { Failure::Unknown(reason) } else { Failure::Refused(reason) };
                deadline.has_passed(shared.clock()).then_some(Err(failure))
            }
            Err(error) => Some(Err(Failure::Unknown(LostReason::Damaged(error.to_string())))),
        }
    }

    fn damage(&self, append: &Append, head: Option<&Head>) -> LostReason {
        let bucket = append.bucket;
        LostReason::Damaged(match head {
            None => format!("bucket {bucket} has no head"),
            Some(head) => format!(
                "the head of bucket {bucket} stands at {} in epoch {}, where {} in epoch {} was left",
                head.next_seq, head.epoch, append.next_seq, append.epoch
            ),
        })
    }

    /// A name that no other batch has.
    fn batch_id(&self) -> u128 {
        let entropy = &self.shared.logs.entropy;
        (u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())).max(1)
    }

    fn measure(&self, batch: &Batch, began: Duration) {
        let shared = &self.shared;
        let took = shared.clock().monotonic().saturating_sub(began);
        shared.metrics().batch_entries.record(batch.rows.len() as u64, &[]);
        shared.metrics().commit_seconds.record(took.as_secs_f64(), &[]);
    }

    fn committed(&mut self, batch: &Batch) {
        self.next = batch.next;
        self.shared.set_next_seq(batch.next);
        let mut intake = self.shared.intake.lock();
        for entry in &batch.entries {
            if let Some((id, _)) = entry.request {
                intake.requests.commit(id, entry.seq, entry.timestamp);
            }
            if let Some(source) = entry.source {
                intake.sources.commit(source);
            }
        }
    }

    /// Opens the next bucket if this owner's own append filled the last: nobody else may.
    async fn open_bucket(&self) -> Result<(), LostReason> {
        let shared = &self.shared;
        let bucket = shared.buckets().of(self.next);
        if bucket == shared.head_bucket() {
            return Ok(());
        }
        let head = Head { epoch: shared.epoch, owner: shared.node.id.clone(), next_seq: self.next, batch_id: 0 };
        let deadline = Deadline::after(shared.clock(), shared.config().give_up_after);
        let create = || shared.store().create_head(shared.log, bucket, head.clone());
        match until_answered(shared.clock(), deadline, create).await {
            Ok(Cas::Applied) => {}
            // An earlier try was answered too late.
            Ok(Cas::Refused(Some(there))) if there.epoch == shared.epoch && there.next_seq == self.next => {}
            Ok(Cas::Refused(Some(there))) if there.epoch > shared.epoch => return Err(shared.fenced().await),
            Ok(Cas::Refused(there)) => return Err(LostReason::Damaged(format!("bucket {bucket} was opened by nobody: {there:?}"))),
            Err(error) if is_transient(&error) => return Err(LostReason::GaveUp(error.to_string())),
            Err(error) => return Err(LostReason::Damaged(error.to_string())),
        }
        shared.set_head_bucket(bucket);
        Ok(())
    }
}
