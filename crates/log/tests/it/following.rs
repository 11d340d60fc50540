//! Followers.

use std::time::Duration;

use banyan_core::{LogSeq, ShardId};
use banyan_log::{Follower, OwnedLog, Proposal};

use crate::world::{LOG, World, body, proposal};

async fn see(follower: &mut Follower, until: u64) -> Vec<String> {
    let mut seen = Vec::new();
    while follower.position() < LogSeq(until) {
        let batch = follower.next().await.unwrap();
        assert_eq!(batch.next, follower.position());
        seen.extend(batch.entries.iter().map(|entry| body(entry).to_owned()));
    }
    seen
}

async fn write(log: &OwnedLog, values: std::ops::Range<u32>) -> Vec<String> {
    let mut written = Vec::new();
    for value in values {
        let text = format!("k={value}");
        log.propose(vec![proposal(&text)]).unwrap().await.unwrap();
        written.push(text);
    }
    written
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_what_was_and_what_comes() {
    let world = World::new();
    let log = world.claim("a").await;
    let mut expected = write(&log, 0..5).await;
    let mut follower = world.logs.follow(LOG, LogSeq(0));
    assert_eq!(see(&mut follower, 5).await, expected);
    expected = write(&log, 5..9).await;
    assert_eq!(see(&mut follower, 9).await, expected);
    assert_eq!((follower.applied(), follower.id()), (LogSeq(9), LOG));
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_everything_without_the_bus() {
    let world = World::new();
    let log = world.claim("a").await;
    world.bus.lose_all(true);
    let mut follower = world.logs.follow(LOG, LogSeq(0));
    let expected = write(&log, 0..5).await;
    assert_eq!(see(&mut follower, 5).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_everything_when_the_bus_cannot_be_reached() {
    let world = World::new();
    let log = world.claim("a").await;
    world.bus.cut_off(true);
    let mut follower = world.logs.follow(LOG, LogSeq(0));
    let expected = write(&log, 0..5).await;
    assert_eq!(see(&mut follower, 5).await, expected);
    world.bus.cut_off(false);
    let expected = write(&log, 5..6).await;
    assert_eq!(see(&mut follower, 6).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_a_new_log_waits_for_its_first_entry() {
    let world = World::new();
    let mut follower = world.logs.follow(LOG, LogSeq(0));
    assert!(tokio::time::timeout(Duration::from_secs(30), follower.next()).await.is_err());
    let log = world.claim("a").await;
    let expected = write(&log, 0..1).await;
    assert_eq!(see(&mut follower, 1).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_entry_names_the_shards_that_must_look_at_it() {
    let world = World::new();
    let log = world.claim("a").await;
    let targets = [ShardId(9), ShardId(2)].into();
    log.propose(vec![Proposal { targets, ..proposal("k=1") }]).unwrap().await.unwrap();
    let batch = world.logs.follow(LOG, LogSeq(0)).next().await.unwrap();
    assert!(batch.entries[0].concerns(ShardId(2)) && batch.entries[0].concerns(ShardId(9)));
    assert!(!batch.entries[0].concerns(ShardId(3)));
}
