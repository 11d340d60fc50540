//! A process that ends in order gives everything away first.

use std::sync::atomic::Ordering;

use banyan_testkit::process::until;

use crate::cluster::{Installation, PATIENCE, all_logs, balanced, epochs};

#[tokio::test]
async fn a_leaving_process_hands_everything_over() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let (leaving, before) = (b.owned(), epochs(&a).await);
    let host = b.host.clone();
    let closed = b.closed();
    b.end().await;
    assert!(host.open.lock().is_empty(), "nothing is left open");
    assert_eq!(host.closed.load(Ordering::SeqCst) - closed, leaving.len());
    balanced_without_ghosts(&a).await;
    for (log, epoch) in epochs(&a).await {
        assert_eq!(epoch - before[&log], u64::from(leaving.contains(&log)), "{log}: one epoch for a hand-over, none for the rest");
    }
    for log in all_logs() {
        a.append(log).await;
    }
}

#[tokio::test]
async fn the_last_process_leaves_its_shards_to_nobody() {
    let installation = Installation::new();
    let a = installation.start().await;
    balanced(&[&a]).await;
    let logs = a.context.logs.clone();
    a.end().await;
    for log in all_logs() {
        assert_eq!(logs.owner(log).await.unwrap().unwrap().owner, "", "{log}");
    }
    let b = installation.start().await;
    balanced(&[&b]).await;
}

/// A process that has left is alive to the others until it was silent for long enough; what matters is where the shards are.
async fn balanced_without_ghosts(a: &crate::cluster::Process) {
    until("all shards at the one that stays", PATIENCE, async || (a.owned().len() == all_logs().count()).then_some(())).await;
}
