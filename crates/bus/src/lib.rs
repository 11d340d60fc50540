//! The event bus: hints between processes, at most once, unordered between senders, nothing kept. Losing every message costs
//! latency, never data. This crate alone knows of async-nats.

mod config;
mod faulty;
mod local;
mod nats;
mod subject;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use config::{BusConfig, BusKind, NatsConfig, open};
pub use faulty::{Faults, FaultyBus};
pub use local::LocalBus;
pub use nats::NatsBus;

/// The largest payload of a message, in bytes: the default limit of a NATS server.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// How many messages wait for a subscriber that does not read; what comes then is dropped and counted.
pub const SUBSCRIPTION_CAPACITY: usize = 4096;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published, dot-separated as in NATS: `rm.7`, `us.63`, `node.beat`.
    pub subject: String,
    /// Names and values, for example the W3C `traceparent`.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub payload: Bytes,
}

/// A failed publish or subscribe.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// The bus cannot be reached just now; whoever relies on hints falls back to the store.
    #[error("the bus is unavailable: {0}")]
    Unavailable(String),
    /// The message or subject breaks a rule.
    #[error("the bus refused the message: {0}")]
    Refused(String),
    /// The configuration is wrong; the text names the remedy.
    #[error("{0}")]
    Setup(String),
}

/// A stream of messages that ends only when the bus is closed. Messages are dropped, not queued without bound, when it is not read.
pub type Subscription = BoxStream<'static, Message>;

/// Publish and subscribe.
#[async_trait]
pub trait Bus: std::fmt::Debug + Send + Sync + 'static {
    /// Sends a message to whoever is subscribed now. An `Ok` promises nothing.
    async fn publish(&self, message: Message) -> Result<(), BusError>;

    /// Subscribes to a subject, with the NATS wildcards `*` (one token) and `>` (the rest). Active when this returns; survives
    /// reconnects.
    async fn subscribe(&self, subject: &str) -> Result<Subscription, BusError>;

    /// Whether messages get through just now, as far as this side knows.
    fn is_connected(&self) -> bool;
}
