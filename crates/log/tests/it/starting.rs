//! Taking many logs over at once, and what a claim refuses.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, SeededEntropy, ShardCount};
use banyan_log::{LogConfig, Logs};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, Last, World, node};

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
async fn claims_outlast_unknown_outcomes() {
    let world = World::new();
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost, WriteFault::Held, WriteFault::Duplicated] {
        for target in [Target::Owner(LOG), Target::Head(LOG)] {
            world.control.inject(target, fault);
            world.claim("a").await;
        }
    }
}
