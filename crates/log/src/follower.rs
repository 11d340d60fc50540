//! A log as others see it.

use std::sync::Arc;

use banyan_bus::{Message, Subscription};
use banyan_core::{LogId, LogSeq};
use banyan_proto::log as wire;
use banyan_store::StoreError;
use futures::{StreamExt, stream};
use opentelemetry::KeyValue;
use prost::Message as _;
use tokio::time::timeout;

use crate::{
    Entry, FollowError,
    claim::read_progress,
    header::{self, Slot},
    hint,
    logs::Inner,
    metrics::log_attribute,
    place::Buckets,
    retry::Backoff,
};

/// Entries read at once.
const PAGE: u64 = 256;

/// Reads a log in order, from a position on: only what is committed and applied, without holes. Fed by the bus; asks the store if it
/// missed something.
pub struct Follower {
    logs: Arc<Inner>,
    log: LogId,
    position: LogSeq,
    /// All entries below are applied, as far as is known.
    applied: LogSeq,
    messages: Option<Subscription>,
    attributes: [KeyValue; 1],
}

/// Entries in order, all of them applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowBatch {
    /// Where the batch begins.
    pub first: LogSeq,
    /// Where the next batch begins. What is between this and the last entry was padding.
    pub next: LogSeq,
    /// The entries, without padding; may be empty.
    pub entries: Vec<Entry>,
    /// The W3C trace context of the span that published it on the bus; empty if it was read from the store or is not traced.
    pub traceparent: String,
}

impl Follower {
    pub(crate) fn new(logs: Arc<Inner>, log: LogId, from: LogSeq) -> Self {
        Self { logs, log, position: from, applied: LogSeq(0), messages: None, attributes: log_attribute(log) }
    }

    /// The next entries; waits until there are some. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FollowBatch, FollowError> {
        let mut backoff = Backoff::new();
        loop {
            if self.applied > self.position {
                if let Some(batch) = self.read().await? {
                    return Ok(batch);
                }
                self.logs.metrics.follower_holes.add(1, &self.attributes);
                backoff.wait().await;
                continue;
            }
            if self.messages.is_none() {
                self.subscribe().await;
                // What was published before cannot be heard any more.
                self.ask().await?;
                continue;
            }
            if let Some(batch) = self.hear().await? {
                return Ok(batch);
            }
        }
    }

    /// Where the next batch begins.
    #[must_use]
    pub const fn position(&self) -> LogSeq {
        self.position
    }

    /// How far the owner is known to have applied.
    #[must_use]
    pub const fn applied(&self) -> LogSeq {
        self.applied
    }

    /// Which log.
    #[must_use]
    pub const fn id(&self) -> LogId {
        self.log
    }

    /// Listens to the log's owner. Without the bus the store is asked every now and then, and the bus tried again.
    async fn subscribe(&mut self) {
        let hints = self.logs.bus.subscribe(&hint::subject(self.log)).await;
        let beacons = self.logs.bus.subscribe(&hint::beacon_subject(self.log)).await;
        self.messages = match (hints, beacons) {
            (Ok(hints), Ok(beacons)) => Some(stream::select(hints, beacons).boxed()),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(log = %self.log, %error, "cannot listen to the bus");
                let silence = self.logs.config.silence;
                Some(stream::once(async move { tokio::time::sleep(silence).await }).filter_map(|()| async { None }).boxed())
            }
        };
    }

    /// Waits for a message, or asks the store when there is none for long.
    async fn hear(&mut self) -> Result<Option<FollowBatch>, FollowError> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        match timeout(self.logs.config.silence, messages.next()).await {
            Ok(Some(message)) => return self.take(message),
            Ok(None) => self.messages = None,
            Err(_) => self.ask().await?,
        }
        Ok(None)
    }

    /// How far the owner had applied when it last stored it.
    async fn ask(&mut self) -> Result<(), StoreError> {
        let (applied, _) = read_progress(&*self.logs.store, self.log).await?;
        self.applied = self.applied.max(applied);
        Ok(())
    }

    fn take(&mut self, mut message: Message) -> Result<Option<FollowBatch>, FollowError> {
        if message.subject.ends_with(".beacon") {
            if let Ok(beacon) = wire::Beacon::decode(message.payload) {
                self.learn(LogSeq(beacon.applied));
                #[cfg(test)]
                if self.logs.config.sabotage == Some(crate::sim::Sabotage::ReadAhead) {
                    self.learn(LogSeq(beacon.next_seq));
                }
                let lag = self.applied.0.saturating_sub(self.position.0);
                self.logs.metrics.follower_lag.record(lag, &self.attributes);
            }
            return Ok(None);
        }
        let Ok(hint) = wire::Hint::decode(message.payload) else {
            tracing::warn!(log = %self.log, "a hint that cannot be read");
            return Ok(None);
        };
        self.learn(LogSeq(hint.applied));
        let traceparent = message.headers.iter_mut().find(|(name, _)| name == hint::TRACEPARENT);
        let traceparent = traceparent.map(|(_, value)| std::mem::take(value)).unwrap_or_default();
        Ok(self.take_hint(hint)?.map(|batch| FollowBatch { traceparent, ..batch }))
    }

    fn learn(&mut self, applied: LogSeq) {
        self.applied = self.applied.max(applied);
    }

    /// The part of a hint that comes next, if it has one: earlier entries were seen, and a gap is read from the store.
    fn take_hint(&mut self, hint: wire::Hint) -> Result<Option<FollowBatch>, FollowError> {
        let first = hint.first_seq;
        #[cfg(test)]
        if self.logs.config.sabotage == Some(crate::sim::Sabotage::SkipGaps) && first > self.position.0 {
            self.position = LogSeq(first);
        }
        let end = first + hint.entries.len() as u64;
        if first > self.position.0 || end <= self.position.0 {
            return Ok(None);
        }
        let seen = usize::try_from(self.position.0 - first).unwrap_or(usize::MAX);
        let mut slots = Vec::with_capacity(hint.entries.len().saturating_sub(seen));
        for (seq, entry) in (first..).zip(hint.entries).skip(seen) {
            slots.push(header::decode(self.log, LogSeq(seq), entry.header.unwrap_or_default(), entry.body)?);
        }
        Ok(Some(self.advance(slots)))
    }

    /// Reads on from the store. `None`: what must be there is not to be seen yet.
    async fn read(&mut self) -> Result<Option<FollowBatch>, FollowError> {
        self.logs.metrics.follower_gaps.add(1, &self.attributes);
        let buckets = Buckets(self.logs.config.bucket_len);
        // Never beyond what is applied, and into the next bucket only after the last place of this one.
        let limit = (self.applied.0 - self.position.0).min(buckets.room(self.position)).min(PAGE);
        let bucket = buckets.of(self.position);
        let rows = self.logs.store.read_log(self.log, bucket, self.position, usize::try_from(limit).unwrap_or(1)).await?;
        let mut slots = Vec::with_capacity(rows.len());
        for (seq, row) in (self.position.0..).zip(rows) {
            if row.seq.0 != seq {
                break;
            }
            slots.push(header::decode_row(self.log, row)?);
        }
        if slots.is_empty() {
            return self.check_gone(buckets).await;
        }
        Ok(Some(self.advance(slots)))
    }

    async fn check_gone(&mut self, buckets: Buckets) -> Result<Option<FollowBatch>, FollowError> {
        let first = self.logs.store.read_owner(self.log).await?.map_or(0, |row| row.first_bucket);
        let first = buckets.first(first);
        if self.position < first { Err(FollowError::Gone { first }) } else { Ok(None) }
    }

    fn advance(&mut self, slots: Vec<Slot>) -> FollowBatch {
        let first = self.position;
        self.position = first.plus(slots.len() as u64);
        let entries = slots.into_iter().filter_map(Slot::into_entry).collect();
        FollowBatch { first, next: self.position, entries, traceparent: String::new() }
    }
}
