//! The faults of the memory store.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, LogSeq, ManualClock, ShardId};
use banyan_store::{
    Cas, LogStore, StoreError, TableStore, key,
    memory::{Faults, MemoryControl, MemoryStore, Target, WriteFault},
};
use bytes::Bytes;

use crate::{
    fixture::{PROMISES, ROWS, TABLES, clock},
    suite::{
        batch,
        logs::{entries, head},
        put, value,
    },
};

const LOG: LogId = LogId::rooms(ShardId(3));

fn store(seed: u64) -> (MemoryStore, MemoryControl, ManualClock) {
    let clock = clock();
    let store = MemoryStore::new(TABLES, Arc::new(clock.clone()), seed).unwrap();
    let control = store.control();
    (store, control, clock)
}

#[tokio::test]
async fn a_held_append_commits_after_a_read_did_not_show_it() {
    let (store, control, _) = store(1);
    store.create_head(LOG, 0, head(1, 0)).await.unwrap();
    control.inject(Target::Append(LOG), WriteFault::Held);
    assert!(matches!(store.append(LOG, &entries(1, 0, 2, 7)).await, Err(StoreError::Unknown(_))));
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap(), []);
    let late = control.late_writes();
    assert_eq!(late.len(), 1);
    assert!(control.release(late[0].id));
    assert!(!control.release(late[0].id));
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap().len(), 2);
    assert_eq!(store.read_head(LOG, 0).await.unwrap().unwrap().batch_id, 7);
}

#[tokio::test]
async fn a_held_append_is_fenced_like_any_other() {
    let (store, control, _) = store(1);
    store.create_head(LOG, 0, head(1, 0)).await.unwrap();
    control.inject(Target::Append(LOG), WriteFault::Held);
    assert!(store.append(LOG, &entries(1, 0, 2, 7)).await.is_err());
    assert_eq!(store.raise_head(LOG, 0, Epoch(2), "n2").await.unwrap(), Cas::Applied);
    control.release_all();
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_duplicated_write_is_tried_again() {
    let (store, control, _) = store(1);
    control.inject(Target::Table(PROMISES.name), WriteFault::Duplicated);
    let (partition, row) = (key!["p"], key!["k"]);
    assert_eq!(store.insert(&PROMISES, &partition, &row, Bytes::from("1"), None).await.unwrap(), Cas::Applied);
    store.replace(&PROMISES, &partition, &row, Bytes::from("1"), None, None).await.unwrap();
    control.release_all();
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), Some(Bytes::from("1")), "it came back");
}

#[tokio::test]
async fn unknown_writes_happened_or_not() {
    let (store, control, _) = store(1);
    store.create_head(LOG, 0, head(1, 0)).await.unwrap();
    control.inject(Target::Append(LOG), WriteFault::UnknownApplied);
    assert!(matches!(store.append(LOG, &entries(1, 0, 1, 7)).await, Err(StoreError::Unknown(_))));
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap().len(), 1);
    control.inject(Target::Append(LOG), WriteFault::UnknownLost);
    assert!(matches!(store.append(LOG, &entries(1, 1, 1, 8)).await, Err(StoreError::Unknown(_))));
    control.release_all();
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap().len(), 1);
    control.inject(Target::Append(LOG), WriteFault::Unavailable);
    assert!(matches!(store.append(LOG, &entries(1, 1, 1, 8)).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.append(LOG, &entries(1, 1, 1, 9)).await.unwrap(), Cas::Applied);
}

#[tokio::test]
async fn delayed_writes_happen_when_their_time_comes() {
    let (store, control, clock) = store(1);
    let delay = Duration::from_secs(1)..Duration::from_secs(2);
    control.set_faults(Faults { unknown_delayed: 1.0, delay, ..Faults::default() });
    let write = batch(&ROWS, key!["p"], 1, vec![put(key!["a", 1], "v")]);
    assert!(matches!(store.write(write).await, Err(StoreError::Unknown(_))));
    control.set_faults(Faults::default());
    assert_eq!(value(&store, &ROWS, &key!["p"], &key!["a", 1]).await, None);
    clock.advance(Duration::from_secs(2));
    assert_eq!(value(&store, &ROWS, &key!["p"], &key!["a", 1]).await, Some(Bytes::from("v")));
}

/// What a crash leaves of twenty derived rows written one a second, and of twenty appends.
async fn after_crash(seed: u64, forgets_promises: bool) -> (Vec<i64>, u64) {
    let (store, control, clock) = store(seed);
    control.set_faults(Faults { forgets_promises, ..Faults::default() });
    store.create_head(LOG, 0, head(1, 0)).await.unwrap();
    for n in 0..20 {
        clock.advance(Duration::from_secs(1));
        let row = put(key!["a", n], "v");
        store.write(batch(&ROWS, key!["p"], n, vec![row])).await.unwrap();
        let seq = n.cast_unsigned();
        assert_eq!(store.append(LOG, &entries(1, seq, 1, u128::from(seq) + 1)).await.unwrap(), Cas::Applied);
    }
    control.crash();
    let rows = store.scan(&ROWS, &key!["p"], banyan_store::Range::all(100)).await.unwrap().rows;
    let left = rows.iter().map(|row| row.clustering[1].as_int().unwrap()).collect();
    let head = store.read_head(LOG, 0).await.unwrap().unwrap();
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 100).await.unwrap().len() as u64, head.next_seq.0);
    (left, head.next_seq.0)
}

#[tokio::test]
async fn a_crash_forgets_a_suffix_of_recent_derived_rows_only() {
    let mut lost = 0;
    for seed in 0..20 {
        let (left, appended) = after_crash(seed, false).await;
        assert_eq!(left, (0..i64::try_from(left.len()).unwrap()).collect::<Vec<_>>(), "a suffix is gone, nothing else");
        assert!(left.len() >= 9, "older than ten seconds: {left:?}");
        assert_eq!(appended, 20, "a promise is kept");
        lost += 20 - left.len();
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn a_store_that_forgets_its_promises_can_be_told() {
    let mut lost = 0;
    for seed in 0..20 {
        lost += 20 - after_crash(seed, true).await.1;
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn half_of_a_write_all_happens() {
    let (store, control, _) = store(5);
    control.set_faults(Faults { half_applied: 1.0, ..Faults::default() });
    let batches = (0..30).map(|n| batch(&ROWS, key![n.to_string()], 1, vec![put(key!["a", n], "v"), put(key!["b", n], "v")]));
    assert!(matches!(store.write_all(batches.collect()).await, Err(StoreError::Unknown(_))));
    control.set_faults(Faults::default());
    let mut applied = 0;
    for n in 0..30 {
        let rows = store.scan(&ROWS, &key![n.to_string()], banyan_store::Range::all(9)).await.unwrap().rows.len();
        assert!(rows == 0 || rows == 2, "a batch is whole");
        applied += rows / 2;
    }
    assert!((1..30).contains(&applied));
    assert!(!control.late_writes().is_empty());
}

#[tokio::test]
async fn while_down_nothing_happens() {
    let (store, control, _) = store(1);
    control.set_down(true);
    assert!(matches!(store.read_owner(LOG).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.create_head(LOG, 0, head(1, 0)).await, Err(StoreError::Unavailable(_))));
    control.set_down(false);
    assert_eq!(store.read_head(LOG, 0).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_outage_loses_answers_that_are_under_way() {
    let (store, control, _) = store(1);
    let latency = Duration::from_millis(10)..Duration::from_millis(11);
    control.set_faults(Faults { latency, ..Faults::default() });
    let create = store.create_head(LOG, 0, head(1, 0));
    let outage = async {
        tokio::time::sleep(Duration::from_millis(15)).await;
        control.set_down(true);
        control.set_down(false);
    };
    let (created, ()) = tokio::join!(create, outage);
    assert!(matches!(created, Err(StoreError::Unknown(_))), "{created:?}");
    assert!(store.read_head(LOG, 0).await.unwrap().is_some());
}

/// What happens to a hundred writes, in words.
async fn history(seed: u64) -> String {
    let (store, control, clock) = store(seed);
    let chance = 0.15;
    control.set_faults(Faults {
        unavailable: chance,
        unknown_applied: chance,
        unknown_lost: chance,
        unknown_delayed: chance,
        duplicated: chance,
        ..Faults::default()
    });
    let mut told = String::new();
    for n in 0..100 {
        clock.advance(Duration::from_millis(300));
        let outcome = store.insert(&PROMISES, &key![(n % 10).to_string()], &key!["k"], Bytes::from(n.to_string()), None).await;
        told.push_str(&format!("{outcome:?}\n"));
        let outcome = store.replace(&PROMISES, &key![(n % 7).to_string()], &key!["k"], Bytes::from("1"), None, None).await;
        told.push_str(&format!("{outcome:?}\n"));
    }
    told
}

#[tokio::test]
async fn a_seed_repeats_itself() {
    assert_eq!(history(11).await, history(11).await);
    assert_ne!(history(11).await, history(12).await);
}

#[tokio::test]
async fn a_stale_read_misses_only_what_nobody_was_answered() {
    let (store, control, clock) = store(1);
    let (partition, row) = (key!["p"], key!["a", 1]);
    control.set_faults(Faults { stale_reads: 1.0, ..Faults::default() });
    store.write(batch(&ROWS, key!["p"], 1, vec![put(key!["a", 1], "old")])).await.unwrap();
    assert_eq!(value(&store, &ROWS, &partition, &row).await, Some(Bytes::from("old")), "it was acknowledged");
    control.inject(Target::Table(ROWS.name), WriteFault::UnknownApplied);
    store.write(batch(&ROWS, key!["p"], 3, vec![put(key!["a", 1], "new")])).await.unwrap_err();
    assert_eq!(value(&store, &ROWS, &partition, &row).await, Some(Bytes::from("old")));
    assert_eq!(store.scan(&ROWS, &partition, banyan_store::Range::all(9)).await.unwrap().rows[0].value, "old");
    let keys = [(partition.clone(), row.clone())];
    assert_eq!(store.multi_get(&ROWS, &keys).await.unwrap()[0].as_ref().unwrap().value, "old");
    control.set_faults(Faults::default());
    assert_eq!(value(&store, &ROWS, &partition, &row).await, Some(Bytes::from("new")), "another read shows it");
    control.set_faults(Faults { stale_reads: 1.0, ..Faults::default() });
    clock.advance(Faults::default().crash_window + Duration::from_secs(1));
    assert_eq!(value(&store, &ROWS, &partition, &row).await, Some(Bytes::from("new")), "it was repaired");
}

#[tokio::test]
async fn an_acknowledged_write_takes_along_what_it_was_written_over() {
    let (store, control, _) = store(1);
    control.set_faults(Faults { stale_reads: 1.0, ..Faults::default() });
    control.inject(Target::Table(ROWS.name), WriteFault::UnknownApplied);
    store.write(batch(&ROWS, key!["p"], 1, vec![put(key!["a", 1], "v")])).await.unwrap_err();
    assert_eq!(value(&store, &ROWS, &key!["p"], &key!["a", 1]).await, None);
    store.write(batch(&ROWS, key!["p"], 1, vec![put(key!["a", 1], "v")])).await.unwrap();
    assert_eq!(value(&store, &ROWS, &key!["p"], &key!["a", 1]).await, Some(Bytes::from("v")));
}

#[tokio::test]
async fn reads_at_serial_are_never_stale_and_complete_what_they_met() {
    let (store, control, _) = store(1);
    control.set_faults(Faults { stale_reads: 1.0, ..Faults::default() });
    store.create_head(LOG, 0, head(1, 0)).await.unwrap();
    control.inject(Target::Append(LOG), WriteFault::UnknownApplied);
    store.append(LOG, &entries(1, 0, 1, 7)).await.unwrap_err();
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap(), []);
    assert_eq!(store.read_head(LOG, 0).await.unwrap().unwrap().batch_id, 7);
    assert_eq!(store.read_log(LOG, 0, LogSeq(0), 9).await.unwrap().len(), 1);

    let (partition, row) = (key!["p"], key!["k"]);
    control.inject(Target::Table(PROMISES.name), WriteFault::UnknownApplied);
    store.insert(&PROMISES, &partition, &row, Bytes::from("1"), None).await.unwrap_err();
    assert_eq!(store.get(&PROMISES, &partition, &row).await.unwrap(), None);
    let refused = store.insert(&PROMISES, &partition, &row, Bytes::from("2"), None).await.unwrap();
    assert_eq!(refused, Cas::Refused(Some(Bytes::from("1"))));
    assert_eq!(store.get(&PROMISES, &partition, &row).await.unwrap().unwrap().value, "1");
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), Some(Bytes::from("1")));
}
