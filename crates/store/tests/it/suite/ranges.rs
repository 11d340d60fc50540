//! Ranges of a partition, in both directions, page by page.

use std::ops::Bound;

use banyan_core::{Entropy, SeededEntropy};
use banyan_store::{Key, Range, Store, key};

use super::{batch, delete, put};
use crate::fixture::{Fixture, ROWS};

async fn fill(store: &dyn Store, partition: &Key) {
    let keys = [("a", -2), ("a", 0), ("a", 5), ("ab", 1), ("b", -1), ("b", 3), ("c", 0)];
    let mut writes: Vec<_> = keys.iter().map(|(a, b)| put(key![*a, *b], format!("{a}{b}"))).collect();
    writes.push(delete(key!["b", 0]));
    store.write(batch(&ROWS, partition.clone(), 10, writes)).await.unwrap();
}

async fn found(store: &dyn Store, partition: &Key, range: Range) -> Vec<String> {
    let page = store.scan(&ROWS, partition, range).await.unwrap();
    page.rows.iter().map(|row| String::from_utf8(row.value.to_vec()).unwrap()).collect()
}

fn range(from: Bound<Key>, to: Bound<Key>) -> Range {
    Range { from, to, reverse: false, limit: 100 }
}

pub(crate) async fn both_directions(fixture: &Fixture) {
    let (store, partition) = (&*fixture.store, key![fixture.name]);
    fill(store, &partition).await;
    let all = ["a-2", "a0", "a5", "ab1", "b-1", "b3", "c0"];
    assert_eq!(found(store, &partition, Range::all(100)).await, all);
    assert_eq!(found(store, &partition, Range::all(100).reversed()).await, all.iter().rev().copied().collect::<Vec<_>>());
    let middle = range(Bound::Excluded(key!["a", 0]), Bound::Included(key!["b", -1]));
    assert_eq!(found(store, &partition, middle.clone()).await, ["a5", "ab1", "b-1"]);
    assert_eq!(found(store, &partition, middle.reversed()).await, ["b-1", "ab1", "a5"]);
    let nothing = range(Bound::Included(key!["c", 1]), Bound::Included(key!["a", 0]));
    assert!(found(store, &partition, nothing).await.is_empty());
}

pub(crate) async fn prefixes(fixture: &Fixture) {
    let (store, partition) = (&*fixture.store, key![fixture.name]);
    fill(store, &partition).await;
    assert_eq!(found(store, &partition, Range::prefix(key!["a"], 100)).await, ["a-2", "a0", "a5"]);
    assert_eq!(found(store, &partition, Range::prefix(key!["a"], 100).reversed()).await, ["a5", "a0", "a-2"]);
    assert_eq!(found(store, &partition, Range::prefix(key![], 100)).await.len(), 7);
    let after_a = range(Bound::Excluded(key!["a"]), Bound::Unbounded);
    assert_eq!(found(store, &partition, after_a).await, ["ab1", "b-1", "b3", "c0"]);
    let before_b = range(Bound::Unbounded, Bound::Excluded(key!["b"]));
    assert_eq!(found(store, &partition, before_b).await, ["a-2", "a0", "a5", "ab1"]);
    let mixed = range(Bound::Excluded(key!["a", 0]), Bound::Included(key!["a"]));
    assert_eq!(found(store, &partition, mixed).await, ["a5"]);
    let to_one = range(Bound::Included(key!["ab"]), Bound::Excluded(key!["b", 3]));
    assert_eq!(found(store, &partition, to_one).await, ["ab1", "b-1"]);
}

pub(crate) async fn pages(fixture: &Fixture) {
    let (store, partition) = (&*fixture.store, key![fixture.name]);
    fill(store, &partition).await;
    for whole in [Range::all(3), Range::all(3).reversed(), Range::prefix(key!["a"], 2), Range::prefix(key!["a"], 2).reversed()] {
        let mut expected = whole.clone();
        expected.limit = 100;
        let expected = found(store, &partition, expected).await;
        let (mut all, mut next, mut pages) = (Vec::new(), Some(whole.clone()), 0);
        while let Some(range) = next.take() {
            let page = store.scan(&ROWS, &partition, range).await.unwrap();
            pages += 1;
            assert!(page.rows.len() <= whole.limit);
            if page.more {
                assert_eq!(page.rows.len(), whole.limit);
                next = Some(whole.clone().after(page.rows.last().unwrap().clustering.clone()));
            }
            all.extend(page.rows.into_iter().map(|row| String::from_utf8(row.value.to_vec()).unwrap()));
        }
        assert_eq!(all, expected);
        assert_eq!(pages, expected.len().div_ceil(whole.limit), "no page more than needed");
    }
}

pub(crate) async fn large_partitions(fixture: &Fixture) {
    let (store, partition) = (&*fixture.store, key![fixture.name]);
    let writes = (0..1200).map(|n| put(key!["x", n], vec![b'v'; 100])).collect();
    store.write(batch(&ROWS, partition.clone(), 10, writes)).await.unwrap();
    let page = store.scan(&ROWS, &partition, Range::all(10_000)).await.unwrap();
    assert_eq!(page.rows.len(), 1200);
    assert!(!page.more);
    let page = store.scan(&ROWS, &partition, Range::all(1100).reversed()).await.unwrap();
    assert!(page.more);
    assert_eq!(page.rows.last().unwrap().clustering, key!["x", 100]);
}

pub(crate) async fn random_ranges_agree_with_memory(fixture: &Fixture) {
    let (store, partition) = (&*fixture.store, key![fixture.name]);
    let model = Fixture::memory("model").store;
    let dice = SeededEntropy::new(7);
    let roll = |sides: u64| i64::try_from(dice.next_u64() % sides).unwrap();
    let text = || ["", "a", "aa", "b"][usize::try_from(roll(4)).unwrap()];
    for _ in 0..40 {
        let row = key![text(), roll(4)];
        let write = if roll(4) == 0 { delete(row) } else { put(row, roll(1000).to_string()) };
        let write = batch(&ROWS, partition.clone(), roll(20), vec![write]);
        store.write(write.clone()).await.unwrap();
        model.write(write).await.unwrap();
    }
    let bound = || {
        let key = if roll(2) == 0 { key![text()] } else { key![text(), roll(4)] };
        match roll(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    };
    for _ in 0..80 {
        let limit = usize::try_from(1 + roll(6)).unwrap();
        let range = Range { from: bound(), to: bound(), reverse: roll(2) == 0, limit };
        let expected = model.scan(&ROWS, &partition, range.clone()).await.unwrap();
        let page = store.scan(&ROWS, &partition, range.clone()).await.unwrap();
        assert_eq!((page.rows, page.more), (expected.rows, expected.more), "{range:?}");
    }
}
