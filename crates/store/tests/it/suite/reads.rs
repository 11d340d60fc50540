//! What was written reads back.

use banyan_core::TimestampMicros;
use banyan_store::{KeyPart, Row, key};
use bytes::Bytes;

use super::{batch, put, value};
use crate::fixture::{BLOBS, Fixture, ROWS, SINGLE};

pub(crate) async fn missing_rows_are_none(fixture: &Fixture) {
    let store = &*fixture.store;
    let (partition, row) = (key![fixture.name], key!["a", 1]);
    assert_eq!(store.get(&ROWS, &partition, &row).await.unwrap(), None);
    assert_eq!(store.multi_get(&ROWS, &[(partition.clone(), row)]).await.unwrap(), [None]);
    assert_eq!(store.multi_get(&ROWS, &[]).await.unwrap(), []);
    let page = store.scan(&ROWS, &partition, banyan_store::Range::all(10)).await.unwrap();
    assert!(page.rows.is_empty() && !page.more);
}

pub(crate) async fn rows_read_back(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    store.write(batch(&ROWS, partition.clone(), 100, vec![put(key!["a", -1], "one"), put(key!["a", 1], "two")])).await.unwrap();
    let row = Row { clustering: key!["a", -1], value: Bytes::from("one"), written: TimestampMicros(101) };
    assert_eq!(store.get(&ROWS, &partition, &key!["a", -1]).await.unwrap(), Some(row.clone()));
    let asked = [
        (partition.clone(), key!["a", 1]),
        (key!["nobody"], key!["a", 1]),
        (partition.clone(), key!["a", -1]),
        (partition.clone(), key!["a", 7]),
        (partition.clone(), key!["a", 1]),
    ];
    let found = store.multi_get(&ROWS, &asked).await.unwrap();
    let values: Vec<_> = found.iter().map(|row| row.as_ref().map(|row| row.value.as_ref())).collect();
    assert_eq!(values, [Some(b"two".as_slice()), None, Some(b"one"), None, Some(b"two")]);
    assert_eq!(found[2], Some(row));
}

pub(crate) async fn odd_keys_and_values_read_back(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name];
    let texts = ["", "a", "a\u{1}", "aé", "b", "\u{10FFFF}", "it's \"quoted\""];
    let writes = texts.iter().map(|text| put(key![*text, i64::MIN], *text)).collect();
    store.write(batch(&ROWS, partition.clone(), 1, writes)).await.unwrap();
    for text in texts {
        assert_eq!(value(store, &ROWS, &partition, &key![text, i64::MIN]).await, Some(Bytes::from(text)), "{text:?}");
    }
    let blob = |bytes: &[u8]| vec![KeyPart::from(bytes)];
    let odd: [&[u8]; 5] = [&[], &[0], &[0, 0], &[0, 0xFF], &[0xFF, 0xFF]];
    let partition = blob(&[0, 0xFF, fixture.name.len() as u8]);
    let writes = odd.iter().map(|bytes| put(blob(bytes), bytes.to_vec())).collect();
    store.write(batch(&BLOBS, partition.clone(), 1, writes)).await.unwrap();
    let page = store.scan(&BLOBS, &partition, banyan_store::Range::all(10)).await.unwrap();
    let found: Vec<_> = page.rows.iter().map(|row| row.value.as_ref()).collect();
    assert_eq!(found, odd);
    assert_eq!(page.rows.iter().map(|row| row.clustering.clone()).collect::<Vec<_>>(), odd.map(blob));
}

pub(crate) async fn tables_without_clustering(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = key![fixture.name, 4];
    store.write(batch(&SINGLE, partition.clone(), 10, vec![put(key![], "whole")])).await.unwrap();
    assert_eq!(value(store, &SINGLE, &partition, &key![]).await, Some(Bytes::from("whole")));
    assert_eq!(value(store, &SINGLE, &key![fixture.name, 5], &key![]).await, None);
    let page = store.scan(&SINGLE, &partition, banyan_store::Range::all(10)).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    let asked = [(key![fixture.name, 5], key![]), (partition.clone(), key![])];
    let found = store.multi_get(&SINGLE, &asked).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    store.write(batch(&SINGLE, partition.clone(), 20, vec![super::delete(key![])])).await.unwrap();
    assert_eq!(value(store, &SINGLE, &partition, &key![]).await, None);
}

pub(crate) async fn many_rows_at_once(fixture: &Fixture) {
    let store = &*fixture.store;
    let partition = |n: i64| key![format!("{}-{}", fixture.name, n % 7)];
    let batches = (0..7).map(|p| {
        let writes = (0..300).filter(|n| n % 7 == p).map(|n| put(key!["x", n], n.to_string())).collect();
        batch(&ROWS, partition(p), 5, writes)
    });
    store.write_all(batches.collect()).await.unwrap();
    let asked: Vec<_> = (0..350).map(|n| (partition(n), key!["x", n])).collect();
    let found = store.multi_get(&ROWS, &asked).await.unwrap();
    for (n, row) in found.into_iter().enumerate() {
        let expected = (n < 300).then(|| Bytes::from(n.to_string()));
        assert_eq!(row.map(|row| row.value), expected, "row {n}");
    }
}
