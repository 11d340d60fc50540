//! The bus from outside: one conformance suite on every backend, and what is special to each.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod conformance;
mod faulty;
mod local;
mod nats;

use std::time::Duration;

use banyan_bus::{Message, Subscription};
use futures::StreamExt;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn message(subject: &str, payload: &str) -> Message {
    Message { subject: subject.to_owned(), headers: Vec::new(), payload: payload.to_owned().into() }
}

/// The next message; panics if none comes.
async fn next(subscription: &mut Subscription) -> Message {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a message in time").expect("an open bus")
}

fn text(message: &Message) -> String {
    String::from_utf8(message.payload.to_vec()).expect("text")
}
