//! What every backend does. Both are reached through two handles, as two processes would.

use std::sync::Arc;

use banyan_bus::{Bus, BusError, LocalBus, MAX_PAYLOAD, Message, NatsBus, NatsConfig};
use banyan_testkit::nats::Nats;

use crate::{message, next, text};

/// Two processes' handles on one bus.
struct Two {
    a: Arc<dyn Bus>,
    b: Arc<dyn Bus>,
}

#[tokio::test]
async fn local() {
    let bus = LocalBus::new();
    all(Two { a: Arc::new(bus.clone()), b: Arc::new(bus) }).await;
}

#[tokio::test]
async fn nats() {
    let server = Nats::start().await;
    let config = NatsConfig { servers: vec![server.url()], ..NatsConfig::default() };
    let (a, b) = (NatsBus::open(&config).await.unwrap(), NatsBus::open(&config).await.unwrap());
    crate::nats::connected(&a).await;
    crate::nats::connected(&b).await;
    all(Two { a: Arc::new(a), b: Arc::new(b) }).await;
}

async fn all(two: Two) {
    a_subscription_is_active_when_it_returns(&two).await;
    a_message_arrives_whole(&two).await;
    order_of_one_sender_is_kept(&two).await;
    everyone_who_listens_hears(&two).await;
    wildcards_match(&two).await;
    nothing_is_kept(&two).await;
    rules_are_the_same(&two).await;
    the_largest_message_passes(&two).await;
    an_end_of_listening_harms_nobody(&two).await;
    assert!(two.a.is_connected() && two.b.is_connected());
}

async fn a_subscription_is_active_when_it_returns(two: &Two) {
    for n in 0..50 {
        let subject = format!("active.{n}");
        let mut subscription = two.a.subscribe(&subject).await.unwrap();
        two.b.publish(message(&subject, "at once")).await.unwrap();
        assert_eq!(text(&next(&mut subscription).await), "at once");
    }
}

async fn a_message_arrives_whole(two: &Two) {
    let mut subscription = two.a.subscribe("whole.1").await.unwrap();
    let traceparent = ("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let other = ("x".to_owned(), "a value, with: signs".to_owned());
    let sent = Message { subject: "whole.1".to_owned(), headers: vec![traceparent, other], payload: vec![0, 255, 10, 13].into() };
    two.b.publish(sent.clone()).await.unwrap();
    let mut received = next(&mut subscription).await;
    received.headers.sort();
    assert_eq!(received, sent);
}

async fn order_of_one_sender_is_kept(two: &Two) {
    let mut subscription = two.a.subscribe("order").await.unwrap();
    for n in 0..500 {
        two.b.publish(message("order", &n.to_string())).await.unwrap();
    }
    for n in 0..500 {
        assert_eq!(text(&next(&mut subscription).await), n.to_string());
    }
}

async fn everyone_who_listens_hears(two: &Two) {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(two.a.subscribe("many").await.unwrap());
        listeners.push(two.b.subscribe("many").await.unwrap());
    }
    two.a.publish(message("many", "all")).await.unwrap();
    for listener in &mut listeners {
        assert_eq!(text(&next(listener).await), "all");
    }
}

async fn wildcards_match(two: &Two) {
    let mut one = two.a.subscribe("wild.*").await.unwrap();
    let mut rest = two.a.subscribe("wild.>").await.unwrap();
    for subject in ["wild.1", "wild.1.beacon", "wild", "other.1", "wild.2"] {
        two.b.publish(message(subject, subject)).await.unwrap();
    }
    for expected in ["wild.1", "wild.2"] {
        assert_eq!(next(&mut one).await.subject, expected);
    }
    for expected in ["wild.1", "wild.1.beacon", "wild.2"] {
        assert_eq!(next(&mut rest).await.subject, expected);
    }
}

async fn nothing_is_kept(two: &Two) {
    two.b.publish(message("late", "before")).await.unwrap();
    let mut subscription = two.b.subscribe("late").await.unwrap();
    two.b.publish(message("late", "after")).await.unwrap();
    assert_eq!(text(&next(&mut subscription).await), "after");
}

async fn rules_are_the_same(two: &Two) {
    for subject in ["", "a.", "a b", "a.*", "a.>"] {
        assert!(matches!(two.a.publish(message(subject, "")).await, Err(BusError::Refused(_))), "{subject:?}");
    }
    for pattern in ["", ".a", "a.>.b", "a b"] {
        assert!(matches!(two.a.subscribe(pattern).await.map(drop), Err(BusError::Refused(_))), "{pattern:?}");
    }
}

async fn the_largest_message_passes(two: &Two) {
    let mut subscription = two.a.subscribe("large").await.unwrap();
    let large = |size: usize| Message { subject: "large".to_owned(), headers: Vec::new(), payload: vec![7; size].into() };
    assert!(matches!(two.b.publish(large(MAX_PAYLOAD + 1)).await, Err(BusError::Refused(_))));
    two.b.publish(large(MAX_PAYLOAD)).await.unwrap();
    assert_eq!(next(&mut subscription).await.payload.len(), MAX_PAYLOAD);
}

async fn an_end_of_listening_harms_nobody(two: &Two) {
    let gone = two.a.subscribe("leave").await.unwrap();
    let mut stays = two.a.subscribe("leave").await.unwrap();
    drop(gone);
    for n in 0..3 {
        two.b.publish(message("leave", &n.to_string())).await.unwrap();
        assert_eq!(text(&next(&mut stays).await), n.to_string());
    }
}
