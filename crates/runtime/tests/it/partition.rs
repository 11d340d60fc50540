//! Processes that disagree about who is there: both may try, one at a time succeeds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_core::{LogId, LogSeq, ShardId};
use banyan_testkit::process::until;
use parking_lot::Mutex;

use crate::cluster::{Installation, PATIENCE, Process, Special, balanced, dead_addr};

/// Who was told that an entry was committed.
type Acknowledged = Arc<Mutex<BTreeMap<LogSeq, Vec<String>>>>;

/// Appends as often as it can.
async fn write(process: &Process, log: LogId, acknowledged: &Acknowledged) {
    loop {
        if let Some(seq) = process.try_append(log).await {
            acknowledged.lock().entry(seq).or_default().push(process.context.node.id.clone());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn two_processes_that_cannot_see_each_other_never_both_serve() {
    let installation = Installation::new();
    // Neither can be reached by the other: the bus loses everything, and the addresses they tell lead nowhere.
    let alone = || Special { mute: true, advertise: Some(dead_addr()), ..Special::default() };
    let (a, b) = (installation.start_special(alone()).await, installation.start_special(alone()).await);
    let log = LogId::rooms(ShardId(5));
    let acknowledged = Acknowledged::default();
    let enough = until("both to have had the shard several times", PATIENCE, async || {
        let acknowledged = acknowledged.lock();
        let owners: Vec<&String> = acknowledged.values().flatten().collect();
        let changes = owners.windows(2).filter(|pair| pair[0] != pair[1]).count();
        (changes >= 3).then_some(())
    });
    tokio::select! {
        () = write(&a, log, &acknowledged) => {}
        () = write(&b, log, &acknowledged) => {}
        () = enough => {}
    }
    let acknowledged = acknowledged.lock();
    assert!(acknowledged.values().all(|owners| owners.len() == 1), "an entry was promised twice");
    assert!(acknowledged.keys().copied().eq((0..).map(LogSeq).take(acknowledged.len())), "the promised entries are dense");
}

#[tokio::test]
async fn processes_that_find_each_other_again_agree() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let closed = (a.closed(), b.closed());
    for (one, other) in [(true, false), (false, true), (true, true)] {
        a.bus.lose_all(one);
        b.bus.cut_off(other);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    a.bus.lose_all(false);
    b.bus.cut_off(false);
    balanced(&[&a, &b]).await;
    assert_eq!((a.closed(), b.closed()), closed, "nothing moved meanwhile");
}
