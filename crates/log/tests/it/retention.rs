//! Dropping what nobody needs.

use std::time::Duration;

use banyan_core::LogSeq;
use banyan_log::{FollowError, LogConfig, OwnedLog};

use crate::world::{LOG, World, proposal};

const HOUR: Duration = Duration::from_secs(3600);

/// Hours pass faster with fewer ticks.
fn slow_world() -> World {
    let minute = Duration::from_secs(60);
    World::with(LogConfig {
        beacon_interval: minute,
        progress_interval: minute,
        upkeep_interval: minute * 10,
        ..LogConfig::default()
    })
}

async fn fill(log: &OwnedLog, entries: usize) {
    for _ in 0..entries / 250 {
        log.propose(vec![proposal("k=1"); 250]).unwrap().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_dropped_when_all_followers_passed_it_and_it_is_old() {
    let world = slow_world();
    let log = world.claim("a").await;
    let cursors = world.logs.cursors("push");
    cursors.save(LOG, LogSeq(0)).await.unwrap();
    assert_eq!(cursors.load(LOG).await.unwrap(), Some(LogSeq(0)));
    fill(&log, 3000).await;
    tokio::time::sleep(HOUR + HOUR).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap().0, LogSeq(0), "a registered follower has not passed it");
    cursors.save(LOG, LogSeq(1500)).await.unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap(), (LogSeq(1024), log.applied()));
    let gone = world.logs.follow(LOG, LogSeq(100)).next().await;
    assert!(matches!(gone, Err(FollowError::Gone { first }) if first == LogSeq(1024)), "{gone:?}");
    assert_eq!(world.logs.follow(LOG, LogSeq(1500)).next().await.unwrap().first, LogSeq(1500));
    cursors.forget(LOG).await.unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap().0, LogSeq(2048), "the bucket that is written to stays");
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_stays_away_for_a_week_is_reset() {
    let world = slow_world();
    let log = world.claim("a").await;
    let cursors = world.logs.cursors("push");
    cursors.save(LOG, LogSeq(5)).await.unwrap();
    fill(&log, 1500).await;
    tokio::time::sleep(HOUR * 24 * 6).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap().0, LogSeq(0));
    tokio::time::sleep(HOUR * 48).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap().0, LogSeq(1024));
    let from = cursors.load(LOG).await.unwrap().unwrap();
    assert!(matches!(world.logs.follow(LOG, from).next().await, Err(FollowError::Gone { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_young_bucket_stays() {
    let world = slow_world();
    let log = world.claim("a").await;
    fill(&log, 2000).await;
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(world.logs.extent(LOG).await.unwrap().0, LogSeq(0));
}
