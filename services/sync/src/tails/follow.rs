//! Follows every log into the tails.

use std::{sync::Arc, time::Duration};

use banyan_core::{LogId, LogSeq};
use banyan_log::{FollowError, Logs};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Tails,
    listen::{self, TypingListener},
};
use crate::{role::Parts, trace};

/// How long to wait before a store that failed is asked again.
const RETRY: Duration = Duration::from_millis(250);
/// How often old entries are dropped.
const TIDY: Duration = Duration::from_secs(5);

/// Follows every log until `stop`; `start_entries` of each are read first. What is not in logs is heard on the bus.
pub(crate) async fn run(tails: Arc<Tails>, parts: &Parts, start_entries: u64, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    for shard in tails.shards().shards() {
        for log in [LogId::rooms(shard), LogId::users(shard)] {
            tasks.spawn(follow(tails.clone(), parts.logs.clone(), log, start_entries));
        }
    }
    let typing = TypingListener { tails: tails.clone(), owners: parts.ask.clone() };
    tasks.spawn(listen::run(typing, parts.bus.clone(), parts.shards));
    tasks.spawn(tidy(tails));
    tokio::select! {
        () = stop.cancelled() => {}
        ended = tasks.join_next() => {
            if let Some(Err(error)) = ended {
                tracing::error!(%error, "a follower of the logs ended");
            }
        }
    }
    tasks.shutdown().await;
}

async fn tidy(tails: Arc<Tails>) {
    let mut every = tokio::time::interval(TIDY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        tails.tidy();
    }
}

async fn follow(tails: Arc<Tails>, logs: Logs, log: LogId, start_entries: u64) {
    let mut at = start(&logs, log, start_entries).await;
    loop {
        tails.reset(log, at);
        let mut follower = logs.follow(log, at);
        at = loop {
            match follower.next().await {
                Ok(mut batch) => {
                    let _spans = trace::receive(log, &mut batch);
                    tails.apply(log, &batch);
                }
                Err(FollowError::Gone { first }) => {
                    tracing::warn!(%log, position = %follower.position(), %first, "entries were dropped before they were read");
                    break first;
                }
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%log, %error, "the log cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
    }
}

/// Where to begin: some entries before the end, so that clients which come back are served from memory.
async fn start(logs: &Logs, log: LogId, entries: u64) -> LogSeq {
    loop {
        match logs.extent(log).await {
            Ok((first, applied)) => return first.max(LogSeq(applied.0.saturating_sub(entries))),
            Err(error) => {
                tracing::debug!(%log, %error, "the end of the log cannot be read just now");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
