//! Who owns which shard when processes come, fall silent, and die.

use std::{sync::Arc, time::Duration};

use banyan_core::{LogId, ShardId};
use banyan_log::Node;
use banyan_testkit::process::until;

use crate::{
    cluster::{Installation, PATIENCE, SHARDS, Special, all_logs, balanced, dead_addr, epochs},
    host::Nothing,
};

#[tokio::test]
async fn one_process_owns_everything() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    assert!(all_logs().all(|log| a.owned().contains(&log)));
    assert!(epochs(&a).await.values().all(|epoch| *epoch == 1));
}

#[tokio::test]
async fn a_new_process_gets_its_share_by_hand_over() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    let before: Vec<_> = futures::future::join_all(all_logs().map(|log| a.append(log))).await;
    let b = installation.start().await;
    balanced(&[&a, &b]).await;
    let moved = b.owned().len();
    assert!((1..usize::from(SHARDS)).contains(&moved));
    assert_eq!(a.closed(), moved, "each shard that moved was closed, and no other");
    assert_eq!(b.host.prepared.load(std::sync::atomic::Ordering::SeqCst), moved, "each was prepared");
    // A hand-over takes one epoch; a claim after it would have taken another.
    for (log, epoch) in epochs(&a).await {
        assert_eq!(epoch, if b.owned().contains(&log) { 2 } else { 1 }, "{log}");
    }
    for (log, before) in all_logs().zip(before) {
        let owner = if b.owned().contains(&log) { &b } else { &a };
        assert_eq!(owner.append(log).await, before.plus(1));
    }
}

#[tokio::test]
async fn processes_that_judge_at_the_same_time_do_not_rob_each_other() {
    let installation = Installation::new();
    // The owner of everything takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hung = Node { id: "hung".to_owned(), addr: silent.local_addr().unwrap().to_string() };
    let logs = installation.logs();
    for log in all_logs() {
        drop(logs.claim(log, &hung, Arc::new(Nothing)).await.unwrap());
    }
    // Neither process hears of the other, so both want everything. When the second one asks the silent owner, the first one has asked
    // and waits: it will have claimed by the time the second one concludes that nobody is there.
    let mute = || Special { mute: true, ..Special::default() };
    let a = installation.start_special(mute()).await;
    let asked = silent.accept().await.unwrap();
    let b = installation.start_special(mute()).await;
    balanced(&[&a, &b]).await;
    drop(asked);
    let prepared = [&a, &b].map(|process| process.host.prepared.load(std::sync::atomic::Ordering::SeqCst));
    assert!(a.closed() <= prepared[1], "{} shards left a, b was asked to prepare for {}", a.closed(), prepared[1]);
    assert!(b.closed() <= prepared[0], "{} shards left b, a was asked to prepare for {}", b.closed(), prepared[0]);
}

#[tokio::test]
async fn a_killed_process_is_taken_over() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let lost = b.owned();
    b.kill();
    balanced(&[&a]).await;
    for log in lost {
        a.append(log).await;
    }
}

#[tokio::test]
async fn a_process_that_is_merely_silent_keeps_its_shards() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let (owned, before, closed) = (a.owned(), epochs(&a).await, (a.closed(), b.closed()));
    a.bus.lose_all(true);
    b.bus.lose_all(true);
    // Several times as long as it takes to be called silent: nothing is to happen, so there is nothing else to wait for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(a.owned(), owned);
    assert_eq!(epochs(&a).await, before);
    assert_eq!((a.closed(), b.closed()), closed);
    // Who answers counts as alive.
    balanced(&[&a, &b]).await;
}

#[tokio::test]
async fn a_process_without_a_bus_is_given_its_share_and_takes_nothing() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    // It hears nobody: by its own view everything is its own, but the recorded owner answers.
    let b = installation.start_special(Special { mute: true, ..Special::default() }).await;
    balanced(&[&a, &b]).await;
    assert_eq!(a.closed(), b.owned().len(), "what moved was handed over");
    assert!(epochs(&a).await.values().all(|epoch| *epoch <= 2));
}

#[tokio::test]
async fn a_process_dies_while_there_is_no_bus() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    a.bus.cut_off(true);
    b.bus.cut_off(true);
    b.kill();
    balanced(&[&a]).await;
}

#[tokio::test]
async fn a_restarted_process_has_its_old_share_at_once() {
    let installation = Installation::new();
    let port = banyan_testkit::ports::free_port();
    let (a, b) = (installation.start().await, installation.start_special(Special { port, ..Special::default() }).await);
    balanced(&[&a, &b]).await;
    let share = b.owned();
    b.kill();
    until("the port to be free", PATIENCE, async || tokio::net::TcpListener::bind(("127.0.0.1", port)).await.ok().map(drop)).await;
    let b = installation.start_special(Special { port, ..Special::default() }).await;
    balanced(&[&a, &b]).await;
    assert_eq!(b.owned(), share);
}

#[tokio::test]
async fn a_shard_that_was_lost_comes_back() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    let log = LogId::rooms(ShardId(3));
    let thief = Node { id: "thief".to_owned(), addr: dead_addr() };
    let stolen = a.context.logs.claim(log, &thief, Arc::new(Nothing)).await.unwrap();
    drop(stolen);
    // It learns of it by its next append, and nobody is at the thief's address.
    until("the shard to be claimed again", PATIENCE, async || {
        let _ = a.try_append(log).await;
        let row = a.context.logs.owner(log).await.ok()??;
        (row.owner == a.context.node.id).then_some(())
    })
    .await;
    a.append(log).await;
    assert_eq!(a.closed(), 1);
}

#[tokio::test]
async fn a_role_that_cannot_open_a_shard_is_not_ready_and_tries_again() {
    let installation = Installation::new();
    let a = installation.start_special(Special::default()).await;
    a.host.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let b = installation.start().await;
    b.host.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    a.kill();
    until("the role to be not ready", PATIENCE, async || {
        let report = b.context.health.report();
        report.not_ready.iter().any(|check| check.name == "roomserver").then_some(())
    })
    .await;
    b.host.broken.store(false, std::sync::atomic::Ordering::SeqCst);
    balanced(&[&b]).await;
    until("the role to be ready", PATIENCE, async || b.context.health.report().ready.then_some(())).await;
}
