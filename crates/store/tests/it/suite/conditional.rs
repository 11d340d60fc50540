//! Conditional tables: every condition is decided once.

use std::{sync::Arc, time::Duration};

use banyan_store::{Cas, Range, key};
use bytes::Bytes;
use futures::future::join_all;

use crate::fixture::{Fixture, PROMISES};

pub(crate) async fn insert_happens_once(fixture: &Fixture) {
    let (store, partition, row) = (&*fixture.store, key![fixture.name], key!["k"]);
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), None);
    assert_eq!(store.insert(&PROMISES, &partition, &row, Bytes::from("one"), None).await.unwrap(), Cas::Applied);
    let refused = Cas::Refused(Some(Bytes::from("one")));
    assert_eq!(store.insert(&PROMISES, &partition, &row, Bytes::from("two"), None).await.unwrap(), refused);
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), Some(Bytes::from("one")));
    let read = store.get(&PROMISES, &partition, &row).await.unwrap().unwrap();
    assert_eq!((read.value, read.written.0), (Bytes::from("one"), 0));
    assert_eq!(store.scan(&PROMISES, &partition, Range::all(5)).await.unwrap().rows.len(), 1);
}

pub(crate) async fn replace_needs_the_expected_value(fixture: &Fixture) {
    let (store, partition, row) = (&*fixture.store, key![fixture.name], key!["k"]);
    let value = |text: &'static str| Bytes::from(text);
    let replace = async |expected: &'static str, new: Option<&'static str>| {
        store.replace(&PROMISES, &partition, &row, value(expected), new.map(value), None).await.unwrap()
    };
    assert_eq!(replace("one", Some("two")).await, Cas::Refused(None));
    assert_eq!(replace("one", None).await, Cas::Refused(None));
    store.insert(&PROMISES, &partition, &row, value("one"), None).await.unwrap();
    assert_eq!(replace("other", Some("two")).await, Cas::Refused(Some(value("one"))));
    assert_eq!(replace("one", Some("two")).await, Cas::Applied);
    assert_eq!(replace("one", None).await, Cas::Refused(Some(value("two"))));
    assert_eq!(replace("two", None).await, Cas::Applied);
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), None);
    assert_eq!(store.insert(&PROMISES, &partition, &row, value("again"), None).await.unwrap(), Cas::Applied);
}

pub(crate) async fn one_of_many_wins(fixture: &Fixture) {
    let attempts = (0..8).map(|n| {
        let store = Arc::clone(&fixture.store);
        let partition = key![fixture.name];
        async move { store.insert(&PROMISES, &partition, &key!["race"], Bytes::from(format!("{n}")), None).await.unwrap() }
    });
    let outcomes = join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Cas::Applied).count(), 1, "{outcomes:?}");
    let winner = fixture.store.get_serial(&PROMISES, &key![fixture.name], &key!["race"]).await.unwrap();
    let expected = Cas::Refused(winner);
    assert!(outcomes.iter().all(|outcome| *outcome == Cas::Applied || *outcome == expected), "{outcomes:?}");
}

pub(crate) async fn a_counter_loses_nothing(fixture: &Fixture) {
    let (partition, row) = (key![fixture.name], key!["counter"]);
    fixture.store.insert(&PROMISES, &partition, &row, Bytes::from("0"), None).await.unwrap();
    let add = |count: u32| {
        let (store, partition, row) = (Arc::clone(&fixture.store), partition.clone(), row.clone());
        async move {
            for _ in 0..count {
                let mut seen = store.get_serial(&PROMISES, &partition, &row).await.unwrap().unwrap();
                loop {
                    let next: u32 = std::str::from_utf8(&seen).unwrap().parse::<u32>().unwrap() + 1;
                    let next = Some(Bytes::from(next.to_string()));
                    match store.replace(&PROMISES, &partition, &row, seen, next, None).await.unwrap() {
                        Cas::Applied => break,
                        Cas::Refused(current) => seen = current.unwrap(),
                    }
                }
            }
        }
    };
    join_all((0..4).map(|_| add(5))).await;
    let total = fixture.store.get_serial(&PROMISES, &partition, &row).await.unwrap();
    assert_eq!(total, Some(Bytes::from("20")));
}

pub(crate) async fn rows_expire(fixture: &Fixture) {
    let (store, partition, row) = (&*fixture.store, key![fixture.name], key!["k"]);
    let short = Some(Duration::from_millis(900));
    store.insert(&PROMISES, &partition, &row, Bytes::from("one"), short).await.unwrap();
    let mut outcome = store.insert(&PROMISES, &partition, &row, Bytes::from("two"), None).await.unwrap();
    assert_eq!(outcome, Cas::Refused(Some(Bytes::from("one"))));
    for _ in 0..60 {
        fixture.pass_time().await;
        outcome = store.insert(&PROMISES, &partition, &row, Bytes::from("two"), None).await.unwrap();
        if outcome == Cas::Applied {
            break;
        }
    }
    assert_eq!(outcome, Cas::Applied);
    let kept = store.replace(&PROMISES, &partition, &row, Bytes::from("two"), Some(Bytes::from("three")), short).await.unwrap();
    assert_eq!(kept, Cas::Applied);
    for _ in 0..60 {
        fixture.pass_time().await;
        if store.get_serial(&PROMISES, &partition, &row).await.unwrap().is_none() {
            break;
        }
    }
    assert_eq!(store.get_serial(&PROMISES, &partition, &row).await.unwrap(), None);
}
