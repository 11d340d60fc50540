//! Shard logs: one epoch per sequence, nobody writes after the next owner has begun.

use std::sync::Arc;

use banyan_core::{Clock, Epoch, LogId, LogSeq, ShardId, SystemClock};
use banyan_store::{Append, Cas, Head, LogRow, OwnerRow, Store, StoreError};
use bytes::Bytes;
use futures::future::join_all;

use crate::fixture::Fixture;

fn log(fixture: &Fixture) -> LogId {
    LogId::rooms(ShardId(fixture.shard))
}

pub(crate) fn owner(epoch: u64, name: &str) -> OwnerRow {
    OwnerRow { epoch: Epoch(epoch), owner: name.to_owned(), addr: format!("{name}:1"), first_bucket: 0, hint_bucket: 0 }
}

pub(crate) fn head(epoch: u64, next_seq: u64) -> Head {
    Head { epoch: Epoch(epoch), owner: "n1".to_owned(), next_seq: LogSeq(next_seq), batch_id: 0 }
}

pub(crate) fn entries(epoch: u64, next_seq: u64, count: u64, batch_id: u128) -> Append {
    let row = |seq: u64| LogRow {
        seq: LogSeq(seq),
        header: Bytes::from(format!("h{seq}")),
        body: Bytes::from(format!("{epoch}/{batch_id}/{seq}")),
    };
    Append {
        bucket: next_seq / 1024,
        epoch: Epoch(epoch),
        next_seq: LogSeq(next_seq),
        batch_id,
        rows: (next_seq..next_seq + count).map(row).collect(),
    }
}

/// Fills a bucket up to its end.
async fn fill(store: &dyn Store, log: LogId, epoch: u64, from: u64) {
    let mut next = from;
    while !(next + 1).is_multiple_of(1024) {
        let count = (1023 - next % 1024).min(256);
        assert_eq!(store.append(log, &entries(epoch, next, count, u128::from(next) + 1)).await.unwrap(), Cas::Applied);
        next += count;
    }
}

pub(crate) async fn an_owner_is_created_once(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    assert_eq!(store.read_owner(log).await.unwrap(), None);
    assert_eq!(store.create_owner(log, owner(1, "n1")).await.unwrap(), Cas::Applied);
    assert_eq!(store.create_owner(log, owner(1, "n2")).await.unwrap(), Cas::Refused(Some(owner(1, "n1"))));
    assert_eq!(store.read_owner(log).await.unwrap(), Some(owner(1, "n1")));
    let users = LogId::users(log.shard);
    assert_eq!(store.read_owner(users).await.unwrap(), None, "the other kind's shard is another log");
}

pub(crate) async fn owners_are_replaced_by_epoch(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    assert_eq!(store.replace_owner(log, Epoch(0), owner(1, "n1")).await.unwrap(), Cas::Refused(None));
    store.create_owner(log, owner(1, "n1")).await.unwrap();
    assert_eq!(store.replace_owner(log, Epoch(1), owner(2, "n2")).await.unwrap(), Cas::Applied);
    assert_eq!(store.replace_owner(log, Epoch(1), owner(2, "n3")).await.unwrap(), Cas::Refused(Some(owner(2, "n2"))));
    let moved = OwnerRow { first_bucket: 3, hint_bucket: 9, ..owner(2, "n2") };
    assert_eq!(store.replace_owner(log, Epoch(2), moved.clone()).await.unwrap(), Cas::Applied);
    assert_eq!(store.read_owner(log).await.unwrap(), Some(moved));
    let nobody = OwnerRow { owner: String::new(), addr: String::new(), ..owner(3, "") };
    assert_eq!(store.replace_owner(log, Epoch(2), nobody.clone()).await.unwrap(), Cas::Applied);
    assert_eq!(store.read_owner(log).await.unwrap(), Some(nobody));
}

pub(crate) async fn one_claim_wins(fixture: &Fixture) {
    let log = log(fixture);
    fixture.store.create_owner(log, owner(1, "n0")).await.unwrap();
    let claims = (0..8).map(|n| {
        let store = Arc::clone(&fixture.store);
        async move { store.replace_owner(log, Epoch(1), owner(2, &format!("n{n}"))).await.unwrap() }
    });
    let outcomes = join_all(claims).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Cas::Applied).count(), 1, "{outcomes:?}");
}

pub(crate) async fn heads(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    assert_eq!(store.read_head(log, 0).await.unwrap(), None);
    assert_eq!(store.raise_head(log, 0, Epoch(5), "n5").await.unwrap(), Cas::Refused(None));
    assert_eq!(store.read_head(log, 0).await.unwrap(), None, "a refused raise makes no head");
    assert_eq!(store.create_head(log, 0, head(1, 0)).await.unwrap(), Cas::Applied);
    assert_eq!(store.create_head(log, 0, head(2, 0)).await.unwrap(), Cas::Refused(Some(head(1, 0))));
    assert_eq!(store.raise_head(log, 0, Epoch(1), "n2").await.unwrap(), Cas::Refused(Some(head(1, 0))));
    assert_eq!(store.raise_head(log, 0, Epoch(4), "n4").await.unwrap(), Cas::Applied);
    let raised = Head { owner: "n4".to_owned(), ..head(4, 0) };
    assert_eq!(store.raise_head(log, 0, Epoch(3), "n3").await.unwrap(), Cas::Refused(Some(raised.clone())));
    assert_eq!(store.read_head(log, 0).await.unwrap(), Some(raised));
}

pub(crate) async fn appends_are_dense(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    assert_eq!(store.append(log, &entries(1, 0, 1, 9)).await.unwrap(), Cas::Refused(None), "no head, no append");
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    assert_eq!(store.append(log, &entries(1, 0, 3, 10)).await.unwrap(), Cas::Applied);
    assert_eq!(store.append(log, &entries(1, 3, 200, 11)).await.unwrap(), Cas::Applied);
    let now = Head { batch_id: 11, ..head(1, 203) };
    assert_eq!(store.append(log, &entries(1, 3, 200, 11)).await.unwrap(), Cas::Refused(Some(now.clone())), "not twice");
    assert_eq!(store.append(log, &entries(1, 204, 1, 12)).await.unwrap(), Cas::Refused(Some(now.clone())), "no gap");
    assert_eq!(store.append(log, &entries(2, 203, 1, 12)).await.unwrap(), Cas::Refused(Some(now)), "no epoch of one's own");
    let read = store.read_log(log, 0, LogSeq(0), 1000).await.unwrap();
    assert_eq!(read.iter().map(|row| row.seq.0).collect::<Vec<_>>(), (0..203).collect::<Vec<_>>());
    assert_eq!(read[2], entries(1, 0, 3, 10).rows[2]);
    let some = store.read_log(log, 0, LogSeq(100), 5).await.unwrap();
    assert_eq!(some.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [100, 101, 102, 103, 104]);
    assert_eq!(store.read_log(log, 0, LogSeq(203), 5).await.unwrap(), []);
    assert_eq!(store.read_log(log, 1, LogSeq(1024), 5).await.unwrap(), []);
}

pub(crate) async fn a_batch_is_whole_or_not(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    store.raise_head(log, 0, Epoch(2), "n2").await.unwrap();
    assert!(matches!(store.append(log, &entries(1, 0, 50, 1)).await.unwrap(), Cas::Refused(Some(_))));
    assert_eq!(store.read_log(log, 0, LogSeq(0), 100).await.unwrap(), []);
    let mut large = entries(2, 0, 10, 2);
    for row in &mut large.rows {
        row.body = Bytes::from(vec![b'x'; 95 << 10]);
    }
    assert_eq!(store.append(log, &large).await.unwrap(), Cas::Applied);
    assert_eq!(store.read_log(log, 0, LogSeq(0), 100).await.unwrap(), large.rows);
}

pub(crate) async fn a_stale_owner_is_fenced_across_a_roll(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    fill(store, log, 1, 0).await;
    // The owner of epoch 1 is about to write the bucket's last entry; epoch 2 claims meanwhile.
    assert_eq!(store.raise_head(log, 0, Epoch(2), "n2").await.unwrap(), Cas::Applied);
    let late = store.append(log, &entries(1, 1023, 1, 77)).await.unwrap();
    assert!(matches!(late, Cas::Refused(Some(head)) if head.epoch == Epoch(2)));
    assert_eq!(store.append(log, &entries(2, 1023, 1, 78)).await.unwrap(), Cas::Applied);
    let sealed = store.read_head(log, 0).await.unwrap().unwrap();
    assert_eq!(sealed.next_seq, LogSeq(1024));
    assert_eq!(store.create_head(log, 1, head(2, 1024)).await.unwrap(), Cas::Applied);
    // The old owner believes it filled bucket 0 and tries to open the next, and to write there.
    assert_eq!(store.create_head(log, 1, head(1, 1024)).await.unwrap(), Cas::Refused(Some(head(2, 1024))));
    assert!(matches!(store.append(log, &entries(1, 1024, 1, 79)).await.unwrap(), Cas::Refused(Some(_))));
    assert_eq!(store.append(log, &entries(2, 1024, 2, 80)).await.unwrap(), Cas::Applied);
    assert_eq!(store.read_log(log, 0, LogSeq(1023), 5).await.unwrap(), entries(2, 1023, 1, 78).rows);
}

pub(crate) async fn one_of_many_appends_wins(fixture: &Fixture) {
    let log = log(fixture);
    fixture.store.create_head(log, 0, head(1, 0)).await.unwrap();
    for round in 0..5 {
        let appends = (1..=4_u128).map(|n| {
            let store = Arc::clone(&fixture.store);
            async move { (n, store.append(log, &entries(1, round * 2, 2, u128::from(round) * 10 + n)).await.unwrap()) }
        });
        let outcomes = join_all(appends).await;
        let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Cas::Applied).map(|(n, _)| *n).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let expected = entries(1, round * 2, 2, u128::from(round) * 10 + winners[0]);
        assert_eq!(fixture.store.read_log(log, 0, LogSeq(round * 2), 5).await.unwrap(), expected.rows);
    }
}

pub(crate) async fn many_logs_at_once(fixture: &Fixture) {
    let appends = (0..32).map(|n| {
        let store = Arc::clone(&fixture.store);
        let log = LogId::users(ShardId(fixture.shard + n));
        async move {
            store.create_head(log, 0, head(1, 0)).await.unwrap();
            for seq in 0..10 {
                assert_eq!(store.append(log, &entries(1, seq, 1, u128::from(seq) + 1)).await.unwrap(), Cas::Applied);
            }
            let read = store.read_log(log, 0, LogSeq(0), 100).await.unwrap();
            assert_eq!(read.len(), 10, "{log}");
            assert_eq!(read[9].body, Bytes::from("1/10/9"));
        }
    });
    join_all(appends).await;
}

pub(crate) async fn dropping_a_bucket_keeps_its_head(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    for bucket in 0..2 {
        store.create_head(log, bucket, head(1, bucket * 1024)).await.unwrap();
        store.append(log, &entries(1, bucket * 1024, 5, 1)).await.unwrap();
    }
    let before = store.read_head(log, 0).await.unwrap();
    store.drop_bucket(log, 0).await.unwrap();
    store.drop_bucket(log, 0).await.unwrap();
    assert_eq!(store.read_log(log, 0, LogSeq(0), 10).await.unwrap(), []);
    assert_eq!(store.read_head(log, 0).await.unwrap(), before);
    assert_eq!(store.read_log(log, 1, LogSeq(1024), 10).await.unwrap().len(), 5);
    assert_eq!(store.raise_head(log, 0, Epoch(2), "n2").await.unwrap(), Cas::Applied, "fencing works on");
}

pub(crate) async fn wrong_appends_are_refused(fixture: &Fixture) {
    let (store, log) = (&*fixture.store, log(fixture));
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    let mut over_the_end = entries(1, 1020, 8, 1);
    over_the_end.bucket = 0;
    let mut gap = entries(1, 0, 2, 1);
    gap.rows[1].seq = LogSeq(2);
    let mut large = entries(1, 0, 1, 1);
    large.rows[0].body = Bytes::from(vec![0; 97 << 10]);
    let mut heavy = entries(1, 0, 12, 1);
    heavy.rows.iter_mut().for_each(|row| row.body = Bytes::from(vec![0; 90 << 10]));
    let nameless = entries(1, 0, 1, 0);
    let empty = entries(1, 0, 0, 1);
    let many = entries(1, 0, 257, 1);
    for wrong in [over_the_end, gap, large, heavy, nameless, empty, many] {
        let result = store.append(log, &wrong).await;
        assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    }
}

pub(crate) async fn the_clock_is_near(fixture: &Fixture) {
    if let Some(time) = fixture.store.store_time().await.unwrap() {
        let own = SystemClock::default().now();
        assert!((time.0 - own.0).abs() < 60_000_000, "{time} is not near {own}");
    }
}
