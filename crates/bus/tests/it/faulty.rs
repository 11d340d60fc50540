//! A bus that misbehaves on purpose.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_bus::{Bus, BusError, Faults, FaultyBus, LocalBus};

use futures::StreamExt;

use crate::{message, next, text};

/// What one subscriber gets of 200 messages.
async fn suffered(seed: u64, faults: Faults) -> Vec<usize> {
    let bus = FaultyBus::new(Arc::new(LocalBus::new()), seed, faults);
    let subscription = bus.subscribe("n").await.unwrap();
    for n in 0..200 {
        bus.publish(message("n", &n.to_string())).await.unwrap();
    }
    // Without a bus the subscription ends, after all that is on its way.
    drop(bus);
    subscription.map(|message| text(&message).parse::<usize>().unwrap()).collect().await
}

fn counts(received: &[usize]) -> BTreeMap<usize, usize> {
    received.iter().fold(BTreeMap::new(), |mut counts, n| {
        *counts.entry(*n).or_default() += 1;
        counts
    })
}

#[tokio::test(start_paused = true)]
async fn without_faults_it_is_a_bus_like_any() {
    assert_eq!(suffered(1, Faults::default()).await, (0..200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn it_drops() {
    let received = suffered(1, Faults { drop: 0.3, ..Faults::default() }).await;
    assert!(received.is_sorted() && (100..180).contains(&received.len()), "{}", received.len());
}

#[tokio::test(start_paused = true)]
async fn it_repeats() {
    let received = suffered(1, Faults { repeat: 0.3, max_delay: Duration::from_millis(50), ..Faults::default() }).await;
    let counts = counts(&received);
    assert!(counts.len() == 200 && counts.values().any(|count| *count == 2), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn it_delays_and_keeps_the_order() {
    let begun = tokio::time::Instant::now();
    let received = suffered(1, Faults { delay: 0.3, max_delay: Duration::from_millis(50), ..Faults::default() }).await;
    assert_eq!(received, (0..200).collect::<Vec<_>>());
    // The clock is the test's own: it moves only when somebody waits for it.
    assert!(!begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn it_reorders_and_loses_nothing() {
    let received = suffered(1, Faults { reorder: 0.3, max_delay: Duration::from_millis(50), ..Faults::default() }).await;
    assert!(!received.is_sorted());
    let counts = counts(&received);
    assert!(counts.len() == 200 && counts.values().all(|count| *count == 1));
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_and_another_differs() {
    let faults = Faults { drop: 0.2, repeat: 0.2, delay: 0.2, reorder: 0.2, max_delay: Duration::from_millis(50) };
    assert_eq!(suffered(7, faults).await, suffered(7, faults).await);
    assert_ne!(suffered(7, faults).await, suffered(8, faults).await);
}

#[tokio::test]
async fn it_loses_everything_and_can_be_cut_off() {
    let bus = FaultyBus::new(Arc::new(LocalBus::new()), 1, Faults::default());
    let mut subscription = bus.subscribe("n").await.unwrap();
    bus.lose_all(true);
    bus.publish(message("n", "lost")).await.unwrap();
    assert!(bus.is_connected());
    bus.lose_all(false);
    bus.cut_off(true);
    assert!(!bus.is_connected());
    assert!(matches!(bus.publish(message("n", "refused")).await, Err(BusError::Unavailable(_))));
    bus.cut_off(false);
    bus.publish(message("n", "through")).await.unwrap();
    assert_eq!(text(&next(&mut subscription).await), "through");
}
