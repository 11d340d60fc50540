//! Who wins a row that is written twice.

use std::time::Duration;

use banyan_store::{Range, Write, key};
use bytes::Bytes;

use super::{batch, delete, put, value};
use crate::fixture::{CACHE, Fixture, ROWS};

pub(crate) async fn the_later_write_wins(fixture: &Fixture) {
    let store = &*fixture.store;
    let (partition, row) = (key![fixture.name], key!["a", 1]);
    store.write(batch(&ROWS, partition.clone(), 20, vec![put(row.clone(), "new")])).await.unwrap();
    store.write(batch(&ROWS, partition.clone(), 10, vec![put(row.clone(), "old")])).await.unwrap();
    assert_eq!(value(store, &ROWS, &partition, &row).await, Some(Bytes::from("new")));
    store.write(batch(&ROWS, partition.clone(), 30, vec![put(row.clone(), "newer")])).await.unwrap();
    store.write(batch(&ROWS, partition.clone(), 30, vec![put(row.clone(), "newer")])).await.unwrap();
    let found = store.get(&ROWS, &partition, &row).await.unwrap().unwrap();
    assert_eq!((found.value, found.written.0), (Bytes::from("newer"), 31));
}

pub(crate) async fn a_deleted_row_stays_deleted(fixture: &Fixture) {
    let store = &*fixture.store;
    let (partition, row) = (key![fixture.name], key!["a", 1]);
    store.write(batch(&ROWS, partition.clone(), 20, vec![delete(row.clone())])).await.unwrap();
    store.write(batch(&ROWS, partition.clone(), 10, vec![put(row.clone(), "late")])).await.unwrap();
    assert_eq!(value(store, &ROWS, &partition, &row).await, None);
    assert!(store.scan(&ROWS, &partition, Range::all(5)).await.unwrap().rows.is_empty());
    store.write(batch(&ROWS, partition.clone(), 30, vec![put(row.clone(), "again")])).await.unwrap();
    store.write(batch(&ROWS, partition.clone(), 25, vec![delete(row.clone())])).await.unwrap();
    assert_eq!(value(store, &ROWS, &partition, &row).await, Some(Bytes::from("again")));
}

pub(crate) async fn ties_are_decided_alike(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    // Within one entry a put beats a delete, whichever comes first.
    for (n, writes) in [(1, [true, false]), (2, [false, true])] {
        let row = key!["entry", n];
        for is_put in writes {
            let write = if is_put { put(row.clone(), "kept") } else { delete(row.clone()) };
            store.write(batch(&ROWS, partition.clone(), 50, vec![write])).await.unwrap();
        }
        assert_eq!(value(store, &ROWS, &partition, &row).await, Some(Bytes::from("kept")), "order {n}");
    }
    // The same timestamp: a delete wins, else the larger value.
    for (n, first_is_put) in [(3, true), (4, false)] {
        let row = key!["tie", n];
        for is_put in [first_is_put, !first_is_put] {
            let (write, at) = if is_put { (put(row.clone(), "lost"), 50) } else { (delete(row.clone()), 51) };
            store.write(batch(&ROWS, partition.clone(), at, vec![write])).await.unwrap();
        }
        assert_eq!(value(store, &ROWS, &partition, &row).await, None, "order {n}");
    }
    for (n, values) in [(5, ["ab", "b"]), (6, ["b", "ab"])] {
        let row = key!["tie", n];
        for text in values {
            store.write(batch(&ROWS, partition.clone(), 50, vec![put(row.clone(), text)])).await.unwrap();
        }
        assert_eq!(value(store, &ROWS, &partition, &row).await, Some(Bytes::from("b")), "order {n}");
    }
}

pub(crate) async fn the_last_write_of_a_batch_counts(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    let writes = vec![
        put(key!["a", 1], "z"),
        put(key!["a", 1], "a"),
        put(key!["a", 2], "x"),
        delete(key!["a", 2]),
        delete(key!["a", 3]),
        put(key!["a", 3], "y"),
    ];
    store.write(batch(&ROWS, partition.clone(), 70, writes)).await.unwrap();
    assert_eq!(value(store, &ROWS, &partition, &key!["a", 1]).await, Some(Bytes::from("a")));
    assert_eq!(value(store, &ROWS, &partition, &key!["a", 2]).await, None);
    assert_eq!(value(store, &ROWS, &partition, &key!["a", 3]).await, Some(Bytes::from("y")));
    store.write(batch(&ROWS, partition, 80, vec![])).await.unwrap();
}

pub(crate) async fn cache_rows_expire(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    let row = |name: &str, seconds: u64| Write::Put {
        clustering: key![name],
        value: Bytes::from("v"),
        ttl: Some(Duration::from_secs(seconds)),
    };
    store.write(batch(&CACHE, partition.clone(), 10, vec![row("short", 1), row("long", 600)])).await.unwrap();
    assert!(value(store, &CACHE, &partition, &key!["short"]).await.is_some());
    for _ in 0..60 {
        fixture.pass_time().await;
        if value(store, &CACHE, &partition, &key!["short"]).await.is_none() {
            break;
        }
    }
    assert_eq!(value(store, &CACHE, &partition, &key!["short"]).await, None);
    let left = store.scan(&CACHE, &partition, Range::all(5)).await.unwrap().rows;
    assert_eq!(left.into_iter().map(|row| row.clustering).collect::<Vec<_>>(), [key!["long"]]);
}
