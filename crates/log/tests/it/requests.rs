//! Request ids.

use std::time::Duration;

use banyan_core::{RequestId, SeededEntropy};
use banyan_log::{LogConfig, OwnedLog, Proposal};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, World, body, proposal};

fn requested(id: RequestId, text: &str) -> Proposal {
    Proposal { request_id: Some(id), ..proposal(text) }
}

async fn found(log: &OwnedLog, id: RequestId) -> Option<Vec<String>> {
    let entries = log.find_request(id).await.unwrap()?;
    Some(entries.iter().map(|entry| body(entry).to_owned()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_retry_learns_what_happened_from_this_owner_and_the_next() {
    let world = World::new();
    let log = world.claim("a").await;
    let entropy = SeededEntropy::new(7);
    let (id, other) = (RequestId::generate(&*world.clock, &entropy), RequestId::generate(&*world.clock, &entropy));
    assert_eq!(found(&log, id).await, None);
    let committed = log.propose(vec![requested(id, "k=1"), requested(id, "k=2")]).unwrap().await.unwrap();
    assert_eq!(found(&log, id).await, Some(vec!["k=1".to_owned(), "k=2".to_owned()]));
    assert_eq!(found(&log, other).await, None);
    let entries = log.find_request(id).await.unwrap().unwrap();
    assert_eq!((entries[1].seq, entries[1].request), (committed[1].seq, Some((id, 1))));
    let next = world.claim("b").await;
    assert_eq!(found(&next, id).await, Some(vec!["k=1".to_owned(), "k=2".to_owned()]));
    assert_eq!(found(&next, other).await, None);
    // Much later it is in the derived rows only.
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let late = world.claim("c").await;
    assert_eq!(found(&late, id).await, Some(vec!["k=1".to_owned(), "k=2".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_the_store_knows_the_rest() {
    let world = World::with(LogConfig { request_memory_entries: 5, ..LogConfig::default() });
    let log = world.claim("a").await;
    let entropy = SeededEntropy::new(7);
    let ids: Vec<_> = (0..50).map(|_| RequestId::generate(&*world.clock, &entropy)).collect();
    for id in &ids {
        log.propose(vec![requested(*id, "k=1")]).unwrap().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    for id in ids {
        assert_eq!(found(&log, id).await, Some(vec!["k=1".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_the_first_try() {
    let world = World::new();
    let log = world.claim("a").await;
    let id = RequestId::generate(&*world.clock, &SeededEntropy::new(7));
    world.control.inject(Target::Append(LOG), WriteFault::UnknownLost);
    let abandoned = log.propose(vec![requested(id, "k=1")]).unwrap();
    drop(abandoned);
    assert_eq!(found(&log, id).await, Some(vec!["k=1".to_owned()]));
}
