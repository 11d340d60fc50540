//! Handing a log over.

use banyan_core::{Epoch, LogSeq};
use banyan_log::{LogError, LostReason};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, World, node, proposal};

#[tokio::test(start_paused = true)]
async fn a_log_is_handed_over_with_all_that_was_queued() {
    let world = World::new();
    let old = world.claim("a").await;
    let queued: Vec<_> = (0..20).map(|n| old.propose(vec![proposal(&format!("k={n}"))]).unwrap()).collect();
    let releasing = old.clone();
    let released = tokio::spawn(async move { releasing.release(Some(node("b"))).await });
    for pending in queued {
        pending.await.unwrap();
    }
    assert_eq!(released.await.unwrap().unwrap(), Epoch(2));
    assert!(matches!(old.propose(vec![proposal("k=x")]), Err(LogError::NotOwner { owner: Some(owner) }) if owner.owner == "b"));
    assert!(matches!(old.lost().await, LostReason::Released { owner: Some(owner) } if owner.addr == "b:7000"));
    // The target takes the epoch it was given.
    let new = world.claim("b").await;
    assert_eq!((new.epoch(), new.applied()), (Epoch(2), LogSeq(20)));
    new.propose(vec![proposal("k=y")]).unwrap().await.unwrap();
    // A second claim cannot use it again.
    assert_eq!(world.claim("b").await.epoch(), Epoch(3));
    assert!(matches!(new.propose(vec![proposal("k=z")]).unwrap().await, Err(LogError::NotOwner { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_log_can_be_left_to_nobody() {
    let world = World::new();
    let old = world.claim("a").await;
    world.control.inject(Target::Owner(LOG), WriteFault::UnknownApplied);
    assert_eq!(old.release(None).await.unwrap(), Epoch(2));
    let row = world.logs.owner(LOG).await.unwrap().unwrap();
    assert_eq!((row.epoch, row.owner.as_str()), (Epoch(2), ""));
    assert!(matches!(old.release(None).await, Err(LogError::NotOwner { .. })));
    assert_eq!(world.claim("c").await.epoch(), Epoch(3));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_cancelled_ends_the_ownership_all_the_same() {
    let world = World::new();
    let old = world.claim("a").await;
    world.control.inject(Target::Append(LOG), WriteFault::Held);
    let pending = old.propose(vec![proposal("k=1")]).unwrap();
    tokio::task::yield_now().await;
    let hurry = tokio::time::timeout(std::time::Duration::from_millis(1), old.release(None)).await;
    assert!(hurry.is_err());
    assert!(matches!(old.lost().await, LostReason::Released { owner: None }));
    assert!(matches!(pending.await, Err(LogError::Unknown(_))));
}
