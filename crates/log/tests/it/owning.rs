//! Claiming, appending, losing.

use banyan_core::{Epoch, LogSeq};
use banyan_log::{LogError, LostReason};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, World, proposal};

#[tokio::test(start_paused = true)]
async fn proposals_are_committed_in_order_and_applied_before_they_are_answered() {
    let world = World::new();
    let log = world.claim("a").await;
    assert_eq!((log.id(), log.epoch(), log.applied()), (LOG, Epoch(1), LogSeq(0)));
    let first = log.propose(vec![proposal("k=1"), proposal("k=2")]).unwrap();
    let second = log.propose(vec![proposal("k=3")]).unwrap();
    let committed = first.await.unwrap();
    assert_eq!(committed.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [0, 1]);
    assert!(committed[1].timestamp.0 >= committed[0].timestamp.0 + 2);
    assert_eq!(second.await.unwrap()[0].seq, LogSeq(2));
    assert_eq!(world.last("k").await.as_deref(), Some("3"));
    assert_eq!(log.applied(), LogSeq(3));
}

#[tokio::test(start_paused = true)]
async fn a_new_owner_goes_on_where_the_old_one_was_and_fences_it() {
    let world = World::new();
    let old = world.claim("a").await;
    old.propose(vec![proposal("k=1")]).unwrap().await.unwrap();
    let new = world.claim("b").await;
    assert_eq!((new.epoch(), new.applied()), (Epoch(2), LogSeq(1)));
    // Of its first and only try the old owner knows that it did not happen.
    let refused = old.propose(vec![proposal("k=zombie")]).unwrap().await;
    let Err(LogError::NotOwner { owner: Some(owner) }) = refused else { panic!("{refused:?}") };
    assert_eq!((owner.owner.as_str(), owner.addr.as_str()), ("b", "b:7000"));
    assert!(matches!(old.lost().await, LostReason::Fenced { .. }));
    assert!(matches!(old.propose(vec![proposal("k=2")]), Err(LogError::NotOwner { .. })));
    assert!(matches!(old.check_lease().await, Err(LogError::NotOwner { .. })));
    assert_eq!(new.propose(vec![proposal("k=2")]).unwrap().await.unwrap()[0].seq, LogSeq(1));
    assert_eq!(world.last("k").await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_was_lost_is_sent_again_and_counts_once() {
    let world = World::new();
    let log = world.claim("a").await;
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost, WriteFault::Held, WriteFault::Unavailable] {
        world.control.inject(Target::Append(LOG), fault);
        log.propose(vec![proposal("k=1")]).unwrap().await.unwrap();
    }
    world.control.release_all();
    assert_eq!(log.propose(vec![proposal("k=2")]).unwrap().await.unwrap()[0].seq, LogSeq(4));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_unknown_ends_the_ownership() {
    let world = World::new();
    let log = world.claim("a").await;
    world.control.inject(Target::Append(LOG), WriteFault::Held);
    let pending = log.propose(vec![proposal("k=1")]).unwrap();
    tokio::task::yield_now().await;
    world.control.set_down(true);
    assert!(matches!(pending.await, Err(LogError::Unknown(_))));
    assert!(matches!(log.lost().await, LostReason::GaveUp(_)));
    world.control.set_down(false);
    world.control.release_all();
    // It did happen.
    let log = world.claim("a").await;
    assert_eq!((log.epoch(), log.applied()), (Epoch(2), LogSeq(1)));
    assert_eq!(world.last("k").await.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn groups_stay_together_over_the_end_of_a_bucket() {
    let world = World::new();
    let log = world.claim("a").await;
    for n in 0..10 {
        let group = (0..100).map(|_| proposal(&format!("k={n}"))).collect();
        log.propose(group).unwrap().await.unwrap();
    }
    let group = (0..250).map(|_| proposal("k=x")).collect();
    let committed = log.propose(group).unwrap().await.unwrap();
    assert_eq!((committed[0].seq, committed[249].seq), (LogSeq(1024), LogSeq(1273)));
    let next = world.claim("b").await;
    assert_eq!(next.propose(vec![proposal("k=y")]).unwrap().await.unwrap()[0].seq, LogSeq(1274));
    let mut follower = world.logs.follow(LOG, LogSeq(990));
    let mut seqs = Vec::new();
    while follower.position() < LogSeq(1275) {
        seqs.extend(follower.next().await.unwrap().entries.iter().map(|entry| entry.seq.0));
    }
    assert_eq!(seqs, (990..1000).chain(1024..1275).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn limits_are_refused_before_anything_happens() {
    let world = World::new();
    let log = world.claim("a").await;
    let large = proposal(&"x".repeat(96 * 1024));
    assert!(matches!(log.propose(vec![large]), Err(LogError::TooLarge(_))));
    assert!(matches!(log.propose(vec![proposal("k=1"); 251]), Err(LogError::TooLarge(_))));
    assert!(matches!(log.propose(vec![proposal(&"x".repeat(90 * 1024)); 11]), Err(LogError::TooLarge(_))));
    assert_eq!(log.propose(Vec::new()).unwrap().await.unwrap(), []);
    // The largest entry passes.
    let largest = format!("k={}", "x".repeat(96 * 1024 - 192 - 2));
    log.propose(vec![proposal(&largest)]).unwrap().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_the_ownership() {
    let world = World::new();
    let log = world.claim("a").await;
    let lost = log.lost();
    let pending = log.propose(vec![proposal("k=1")]).unwrap();
    drop(log);
    assert_eq!(lost.await, LostReason::Released { owner: None });
    assert!(matches!(pending.await, Err(LogError::NotOwner { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_checked_at_the_head_once_it_is_old() {
    let world = World::new();
    let log = world.claim("a").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    world.control.set_down(true);
    assert!(matches!(log.check_lease().await, Err(LogError::Unavailable(_))));
    world.control.set_down(false);
    log.check_lease().await.unwrap();
    world.control.set_down(true);
    log.check_lease().await.unwrap();
    world.control.set_down(false);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let _new = world.claim("b").await;
    assert!(matches!(log.check_lease().await, Err(LogError::NotOwner { .. })));
}
