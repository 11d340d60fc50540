//! What is special to the bus of one process.

use banyan_bus::{Bus, LocalBus};

use crate::{message, next, text};

#[tokio::test]
async fn a_subscriber_that_lags_misses_messages_and_is_counted() {
    let bus = LocalBus::with_capacity(4);
    let mut lagging = bus.subscribe("rm.*").await.unwrap();
    for n in 0..10 {
        bus.publish(message("rm.1", &n.to_string())).await.unwrap();
    }
    assert_eq!(bus.dropped(), 6);
    for n in 0..4 {
        assert_eq!(text(&next(&mut lagging).await), n.to_string());
    }
    bus.publish(message("rm.1", "again")).await.unwrap();
    assert_eq!(text(&next(&mut lagging).await), "again");
}
