//! Taking many logs over at once, and what a claim refuses.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, SeededEntropy, ShardCount};
use banyan_log::{ClaimError, LogConfig, Logs};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, Last, World, node, proposal};

#[tokio::test(start_paused = true)]
async fn all_logs_of_an_installation_are_claimed_at_once() {
    let world = World::new();
    let shards = || ShardCount::DEFAULT.shards().flat_map(|shard| [LogId::rooms(shard), LogId::users(shard)]);
    for epoch in 1..3 {
        let node = node("a");
        let claims = shards().map(|log| world.logs.claim(log, &node, Arc::new(Last)));
        let owned = futures::future::try_join_all(claims).await.unwrap();
        assert!(owned.iter().all(|owned| owned.epoch() == Epoch(epoch)));
        assert_eq!(owned.len(), 128);
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_claims_at_once_wins() {
    let world = World::new();
    world.claim("z").await;
    world.control.set_faults(banyan_store::memory::Faults {
        latency: Duration::from_millis(1)..Duration::from_millis(2),
        ..Default::default()
    });
    let (a, b) = (node("a"), node("b"));
    let (first, second) = tokio::join!(world.logs.claim(LOG, &a, Arc::new(Last)), async {
        // A process of its own.
        let other = Logs::new(
            Arc::new(world.store.clone()),
            world.bus.clone(),
            world.clock.clone(),
            Arc::new(SeededEntropy::new(2)),
            LogConfig::default(),
        );
        other.claim(LOG, &b, Arc::new(Last)).await
    });
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1, "{:?} {:?}", first.err(), second.err());
}

#[tokio::test(start_paused = true)]
async fn a_claim_takes_the_log_from_the_owner_that_was_judged_and_from_no_other() {
    let world = World::new();
    for judged in [None, Some(Epoch(1))] {
        assert_eq!(world.logs.owner(LOG).await.unwrap().map(|row| row.epoch), judged);
        // Both judged the same; the second is slower.
        let first = world.logs.claim_from(LOG, judged, &node("a"), Arc::new(Last)).await.unwrap();
        let second = world.logs.claim_from(LOG, judged, &node("b"), Arc::new(Last)).await;
        let Err(ClaimError::Taken { owner: Some(row) }) = second else { panic!("{:?}", second.err()) };
        assert_eq!((row.epoch, row.owner.as_str()), (first.epoch(), "a"));
        first.propose(vec![proposal("k=1")]).unwrap().await.unwrap();
    }
    assert!(matches!(
        world.logs.claim_from(LOG, None, &node("b"), Arc::new(Last)).await,
        Err(ClaimError::Taken { owner: Some(_) })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_meanwhile_is_not_taken_by_an_older_judgement() {
    let world = World::new();
    let first = world.claim("a").await;
    first.release(Some(node("b"))).await.unwrap();
    let late = world.logs.claim_from(LOG, Some(Epoch(1)), &node("c"), Arc::new(Last)).await;
    assert!(matches!(late, Err(ClaimError::Taken { owner: Some(row) }) if row.owner == "b"));
    assert_eq!(world.logs.claim_from(LOG, Some(Epoch(2)), &node("b"), Arc::new(Last)).await.unwrap().epoch(), Epoch(2));
}

#[tokio::test(start_paused = true)]
async fn claims_outlast_unknown_outcomes() {
    let world = World::new();
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost, WriteFault::Held, WriteFault::Duplicated] {
        for target in [Target::Owner(LOG), Target::Head(LOG)] {
            world.control.inject(target, fault);
            world.claim("a").await;
        }
    }
}
