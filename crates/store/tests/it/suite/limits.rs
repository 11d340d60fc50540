//! What is refused, and refused alike.

use std::{ops::Bound, time::Duration};

use banyan_store::{Key, Range, StoreError, Table, Write, key};
use bytes::Bytes;

use super::{batch, put};
use crate::fixture::{CACHE, Fixture, PROMISES, ROWS};

#[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
}

pub(crate) async fn wrong_keys_are_refused(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    let wrong: [Key; 4] = [key!["a"], key![1, 1], key!["a", "b"], key!["a", 1, 1]];
    for row in wrong {
        assert_refused(store.get(&ROWS, &partition, &row).await);
        assert_refused(store.multi_get(&ROWS, &[(partition.clone(), row.clone())]).await);
        assert_refused(store.write(batch(&ROWS, partition.clone(), 1, vec![put(row.clone(), "v")])).await);
    }
    assert_refused(store.get(&ROWS, &key![1], &key!["a", 1]).await);
    assert_refused(store.get(&ROWS, &key![""], &key!["a", 1]).await);
    assert_refused(store.get(&ROWS, &key!["x".repeat(9000)], &key!["a", 1]).await);
    let bounds = |bound: Bound<Key>| Range { from: bound, to: Bound::Unbounded, reverse: false, limit: 1 };
    assert_refused(store.scan(&ROWS, &partition, bounds(Bound::Included(key![1]))).await);
    assert_refused(store.scan(&ROWS, &partition, bounds(Bound::Included(key!["a", 1, 1]))).await);
    assert_refused(store.scan(&ROWS, &partition, bounds(Bound::Excluded(key![]))).await);
    static STRANGER: Table = Table { name: "test_stranger", ..ROWS };
    assert_refused(store.get(&STRANGER, &partition, &key!["a", 1]).await);
}

pub(crate) async fn wrong_modes_are_refused(fixture: &Fixture) {
    let store = &*fixture.store;
    let (partition, row, ttl) = (key![fixture.name], key!["k"], Some(Duration::from_secs(5)));
    let value = || Bytes::from("v");
    let with_ttl = |clustering: Key, ttl| vec![Write::Put { clustering, value: value(), ttl }];
    assert_refused(store.write(batch(&ROWS, partition.clone(), 1, with_ttl(key!["a", 1], ttl))).await);
    assert_refused(store.write(batch(&CACHE, partition.clone(), 1, with_ttl(row.clone(), None))).await);
    assert_refused(store.write(batch(&CACHE, partition.clone(), 1, with_ttl(row.clone(), Some(Duration::ZERO)))).await);
    assert_refused(store.write(batch(&PROMISES, partition.clone(), 1, with_ttl(row.clone(), None))).await);
    assert_refused(store.insert(&CACHE, &partition, &row, value(), ttl).await);
    assert_refused(store.insert(&ROWS, &partition, &key!["a", 1], value(), None).await);
    assert_refused(store.replace(&CACHE, &partition, &row, value(), None, None).await);
    assert_refused(store.get_serial(&CACHE, &partition, &row).await);
}

pub(crate) async fn too_much_is_refused(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    let large = || Bytes::from(vec![b'x'; (1 << 20) + 1]);
    let largest = || Bytes::from(vec![b'x'; 1 << 20]);
    assert_refused(store.write(batch(&ROWS, partition.clone(), 1, vec![put(key!["a", 1], large())])).await);
    let five = (0..5).map(|n| put(key!["a", n], largest())).collect();
    assert_refused(store.write(batch(&ROWS, partition.clone(), 1, five)).await);
    let three = (0..3).map(|n| put(key!["a", n], largest())).collect();
    store.write(batch(&ROWS, partition.clone(), 1, three)).await.unwrap();
    assert_eq!(super::value(store, &ROWS, &partition, &key!["a", 2]).await, Some(largest()));
    assert_refused(store.insert(&PROMISES, &partition, &key!["k"], large(), None).await);
    assert_refused(store.scan(&ROWS, &partition, Range::all(0)).await);
    assert_refused(store.scan(&ROWS, &partition, Range::all(10_001)).await);
    let many = vec![(partition, key!["a", 1]); 10_001];
    assert_refused(store.multi_get(&ROWS, &many).await);
}
