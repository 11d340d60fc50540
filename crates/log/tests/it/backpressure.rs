//! What waits is bounded.

use banyan_log::LogError;
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, World, proposal};

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_recovers() {
    let world = World::new();
    let log = world.claim("a").await;
    let mut waiting = Vec::new();
    let refused = loop {
        match log.propose(vec![proposal("k=1"); 10]) {
            Ok(pending) => waiting.push(pending),
            Err(error) => break error,
        }
        assert!(waiting.len() <= 2048 / 10);
    };
    let LogError::Overloaded { retry_after } = refused else { panic!("{refused:?}") };
    assert!(!retry_after.is_zero());
    for pending in waiting {
        pending.await.unwrap();
    }
    log.propose(vec![proposal("k=2")]).unwrap().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_lost_log_did_not_happen() {
    let world = World::new();
    let log = world.claim("a").await;
    world.control.inject(Target::Append(LOG), WriteFault::UnknownLost);
    let under_way = log.propose(vec![proposal("k=1")]).unwrap();
    tokio::task::yield_now().await;
    let waiting = log.propose(vec![proposal("k=2")]).unwrap();
    let _new = world.claim("b").await;
    assert!(matches!(under_way.await, Err(LogError::Unknown(_))));
    assert!(matches!(waiting.await, Err(LogError::NotOwner { .. })));
}
