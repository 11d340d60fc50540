//! What an owner does beside appending: applying, beacons, progress, retention.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use banyan_core::{LogSeq, TimestampMicros};
use banyan_proto::log as wire;
use banyan_store::{Cas, StoreError, Write, WriteBatch, key};
use prost::Message;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, timeout},
};

use crate::{
    LostReason,
    apply::apply,
    claim::{self, Restored},
    commit::{Batch, Committer, Work},
    cursors, header, hint,
    shared::{Marks, Shared},
    tables::LOG_PROGRESS,
    trace,
};

/// A bus that does not take a message in this time has lost it.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(250);

/// Buckets dropped in one go.
const MAX_DROPS: usize = 64;

/// The task of an owned log: ends when the log is lost.
pub(crate) async fn run(shared: Arc<Shared>, restored: Restored) {
    let _guard = LoseAtEnd(shared.clone());
    // One batch may wait while another is applied: enough to overlap commit and apply, and a limit to what is lost from view.
    let (work, queue) = mpsc::channel(1);
    let committer = Committer::new(shared.clone(), restored.end, restored.last, work);
    let housekeeping = async {
        tokio::join!(replay(&shared, &restored), beacons(&shared), progress(&shared, restored.safe), upkeep(&shared));
    };
    let reason = tokio::select! {
        biased;
        reason = shared.until_lost() => reason,
        reason = committer.run() => reason,
        () = apply_all(&shared, queue) => LostReason::Damaged("the committer ended".to_owned()),
        () = housekeeping => LostReason::Damaged("the housekeeping ended".to_owned()),
    };
    shared.lose(reason);
}

/// A task that ends by a panic must not leave a log that looks owned.
struct LoseAtEnd(Arc<Shared>);

impl Drop for LoseAtEnd {
    fn drop(&mut self) {
        self.0.lose(LostReason::Damaged("the owner's task ended".to_owned()));
    }
}

/// Applies what is committed, in order: rows, hint, answers, position.
async fn apply_all(shared: &Shared, mut queue: mpsc::Receiver<Work>) {
    let subject = hint::subject(shared.log);
    while let Some(work) = queue.recv().await {
        match work {
            Work::Flush(done) => drop(done.send(())),
            Work::Batch(batch) => apply_batch(shared, &subject, batch).await,
        }
    }
}

async fn apply_batch(shared: &Shared, subject: &str, #[cfg_attr(not(test), expect(unused_mut))] mut batch: Batch) {
    #[cfg(test)]
    if shared.config().sabotage == Some(crate::sim::Sabotage::AnswerEarly) {
        for (answer, committed) in batch.answers.drain(..) {
            let _ = answer.send(Ok(committed));
        }
    }
    let applying = trace::apply(&batch.spans);
    apply(shared, &batch.entries).await;
    drop(applying);
    let (publishing, traceparent) = trace::publish(&batch.spans);
    publish(shared, hint::hint(subject.to_owned(), shared.epoch, &batch.rows, batch.next, traceparent)).await;
    drop(publishing);
    // Whoever has the answer may look at the position at once: it moves first.
    shared.applied.set(batch.next);
    for (answer, committed) in batch.answers {
        let _ = answer.send(Ok(committed));
    }
}

async fn publish(shared: &Shared, message: banyan_bus::Message) {
    match timeout(PUBLISH_TIMEOUT, shared.logs.bus.publish(message)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(log = %shared.log, %error, "a hint was not published"),
        Err(_) => tracing::debug!(log = %shared.log, "a hint was not published in time"),
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Applies again what the store may have lost when an earlier owner went down with it.
async fn replay(shared: &Shared, restored: &Restored) {
    #[cfg(test)]
    if shared.config().sabotage == Some(crate::sim::Sabotage::NoReplay) {
        shared.replayed.set(true);
        return;
    }
    let mut first = restored.first_tail;
    let mut position = restored.replay_from;
    while position < restored.tail {
        match claim::apply_page(shared, position, restored.tail).await {
            Ok(page) => {
                if position == restored.replay_from {
                    first = page.first;
                }
                position = page.next;
            }
            Err(error) => {
                tracing::warn!(log = %shared.log, %error, "re-applying entries failed; trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
    {
        let mut intake = shared.intake.lock();
        let since =
            first.unwrap_or(if restored.end == LogSeq(0) { TimestampMicros(0) } else { TimestampMicros(restored.last.0 + 1) });
        intake.requests.complete(since);
        intake.sources.complete();
    }
    shared.replayed.set(true);
}

/// Says where the log is, so that followers notice what they missed.
async fn beacons(shared: &Shared) {
    let mut ticks = ticks(shared.config().beacon_interval);
    loop {
        ticks.tick().await;
        let (next_seq, applied) = (shared.next_seq(), shared.applied());
        publish(shared, hint::beacon(shared.log, shared.epoch, next_seq, applied)).await;
        let queued = {
            let mut intake = shared.intake.lock();
            intake.requests.expire(shared.clock().now(), applied);
            intake.queue.len()
        };
        shared.metrics().queued.record(queued as u64, &shared.attributes);
        shared.metrics().applied_lag.record(next_seq.0.saturating_sub(applied.0), &shared.attributes);
    }
}

/// Stores how far the log is applied, and how far that is surely synced.
async fn progress(shared: &Shared, safe: LogSeq) {
    let mut ticks = ticks(shared.config().progress_interval);
    let mut safe = SafeMark { safe, history: VecDeque::new() };
    let mut written = None;
    let mut marked_bucket = None;
    loop {
        ticks.tick().await;
        let applied = shared.applied();
        if shared.replayed.get() {
            safe.observe(shared.clock().monotonic(), applied, shared.config().safe_lag);
        }
        let now = (applied, safe.safe);
        if written != Some(now) && write_progress(shared, now.0, now.1).await.is_ok() {
            written = Some(now);
        }
        let bucket = shared.head_bucket();
        if marked_bucket != Some(bucket)
            && move_marks(shared, |marks| marks.hint_bucket = marks.hint_bucket.max(bucket)).await.is_ok()
        {
            marked_bucket = Some(bucket);
        }
    }
}

/// The position that trails `applied` by a fixed time.
struct SafeMark {
    safe: LogSeq,
    history: VecDeque<(Duration, LogSeq)>,
}

impl SafeMark {
    fn observe(&mut self, now: Duration, applied: LogSeq, lag: Duration) {
        if self.history.back().is_none_or(|(_, last)| *last != applied) {
            self.history.push_back((now, applied));
        }
        while let Some((_, seq)) = self.history.front().filter(|(at, _)| *at + lag <= now).copied() {
            self.safe = self.safe.max(seq);
            if self.history.len() == 1 {
                // The last one stays, as what was seen last.
                return;
            }
            self.history.pop_front();
        }
    }
}

/// Stores progress. Repeating it, late or twice, is harmless: a lower position only means that more is applied again.
pub(crate) async fn write_progress(shared: &Shared, applied: LogSeq, safe: LogSeq) -> Result<(), StoreError> {
    let value = wire::LogProgress { applied: applied.0, safe: safe.0 }.encode_to_vec().into();
    let writes = vec![Write::Put { clustering: key![], value, ttl: None }];
    let partition = key![shared.log.to_string()];
    shared.store().write(WriteBatch { table: &LOG_PROGRESS, partition, writes, at: shared.clock().now() }).await
}

/// Changes the bucket marks of the owner row.
async fn move_marks(shared: &Shared, change: impl FnOnce(&mut Marks)) -> Result<(), StoreError> {
    let mut marks = shared.marks.lock().await;
    let mut moved = *marks;
    change(&mut moved);
    if moved == *marks {
        return Ok(());
    }
    match shared.store().replace_owner(shared.log, shared.epoch, shared.owner_row(moved)).await? {
        Cas::Applied => *marks = moved,
        Cas::Refused(_) => {
            let reason = shared.fenced().await;
            shared.lose(reason);
        }
    }
    Ok(())
}

/// Now and then: compares clocks, sees that the owner row is as it was left, drops old buckets.
async fn upkeep(shared: &Shared) {
    let mut ticks = ticks(shared.config().upkeep_interval);
    ticks.tick().await;
    let mut finished = false;
    loop {
        ticks.tick().await;
        finished = finished || finish_drop(shared).await.is_ok();
        if let Ok(Err(off)) = claim::compare_clocks(&shared.logs).await {
            tracing::error!(log = %shared.log, ?off, "this machine's clock is too far off the store's");
            shared.lose(LostReason::ClockSkew);
        }
        if let Err(error) = restore_marks(shared).await {
            tracing::warn!(log = %shared.log, %error, "the owner row could not be checked");
        }
        if let Err(error) = drop_old_buckets(shared).await {
            finished = false;
            tracing::warn!(log = %shared.log, %error, "old buckets could not be dropped");
        }
    }
}

/// A write of the marks that happened late may have set them back.
async fn restore_marks(shared: &Shared) -> Result<(), StoreError> {
    let marks = shared.marks.lock().await;
    let Some(row) = shared.store().read_owner(shared.log).await? else { return Ok(()) };
    if row.epoch == shared.epoch && row != shared.owner_row(*marks) {
        shared.store().replace_owner(shared.log, shared.epoch, shared.owner_row(*marks)).await?;
    }
    Ok(())
}

/// Drops the buckets that nobody needs: first the mark moves, which only the owner can do, then the rows go.
pub(crate) async fn drop_old_buckets(shared: &Shared) -> Result<(), StoreError> {
    let followers = cursors::registered(shared.store(), shared.log).await?;
    let passed = followers.into_iter().min().unwrap_or(LogSeq(u64::MAX));
    for _ in 0..MAX_DROPS {
        let bucket = shared.marks.lock().await.first_bucket;
        if !may_drop(shared, bucket, passed).await? {
            return Ok(());
        }
        move_marks(shared, |marks| marks.first_bucket = bucket + 1).await?;
        if shared.lost.get().is_some() {
            return Ok(());
        }
        shared.store().drop_bucket(shared.log, bucket).await?;
    }
    Ok(())
}

/// An owner that ended between the mark and the rows left a bucket behind.
async fn finish_drop(shared: &Shared) -> Result<(), StoreError> {
    let bucket = shared.marks.lock().await.first_bucket;
    if bucket == 0 { Ok(()) } else { shared.store().drop_bucket(shared.log, bucket - 1).await }
}

async fn may_drop(shared: &Shared, bucket: u64, passed: LogSeq) -> Result<bool, StoreError> {
    let config = shared.config();
    let end = shared.buckets().end(bucket);
    // The log's last entry stays: the next owner takes its timestamp from there. What a new owner would apply again stays, too.
    let replayed = shared.replayed.get();
    if !replayed || shared.next_seq() <= end || stored_safe(shared).await? < end {
        return Ok(false);
    }
    let last = LogSeq(end.0 - 1);
    let Some(row) = shared.store().read_log(shared.log, bucket, last, 1).await?.into_iter().next() else {
        tracing::error!(log = %shared.log, seq = %last, "an entry that was not dropped is not there");
        return Ok(false);
    };
    let age = shared.clock().now().since(header::decode_row(shared.log, row)?.timestamp());
    Ok(age >= config.retention_min && (passed >= end || age >= config.retention_max))
}

async fn stored_safe(shared: &Shared) -> Result<LogSeq, StoreError> {
    Ok(claim::read_progress(shared.store(), shared.log).await?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safe_mark_trails_by_the_lag() {
        let lag = Duration::from_secs(15);
        let mut mark = SafeMark { safe: LogSeq(1), history: VecDeque::new() };
        mark.observe(Duration::from_secs(0), LogSeq(5), lag);
        mark.observe(Duration::from_secs(10), LogSeq(9), lag);
        assert_eq!(mark.safe, LogSeq(1));
        mark.observe(Duration::from_secs(16), LogSeq(9), lag);
        assert_eq!(mark.safe, LogSeq(5));
        mark.observe(Duration::from_secs(100), LogSeq(9), lag);
        assert_eq!(mark.safe, LogSeq(9));
        mark.observe(Duration::from_secs(101), LogSeq(20), lag);
        mark.observe(Duration::from_secs(102), LogSeq(20), lag);
        assert_eq!(mark.safe, LogSeq(9));
        mark.observe(Duration::from_secs(116), LogSeq(20), lag);
        assert_eq!(mark.safe, LogSeq(20));
    }
}
