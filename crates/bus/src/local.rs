//! The bus of one process: bounded channels, no thread and no task of its own.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures::StreamExt;
use opentelemetry::metrics::Counter;
use parking_lot::RwLock;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_stream::wrappers::ReceiverStream;

use crate::{Bus, BusError, Message, SUBSCRIPTION_CAPACITY, Subscription, subject};

/// A bus within one process. Clones share it. Messages reach each subscriber in the order they were published; a subscriber that
/// lags by more than its capacity misses messages.
#[derive(Clone)]
pub struct LocalBus {
    shared: Arc<Shared>,
    capacity: usize,
}

struct Shared {
    subscribers: RwLock<Subscribers>,
    dropped: AtomicU64,
    dropped_metric: Counter<u64>,
}

#[derive(Default)]
struct Subscribers {
    exact: HashMap<String, Vec<mpsc::Sender<Message>>>,
    wildcard: Vec<(String, mpsc::Sender<Message>)>,
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::with_capacity(SUBSCRIPTION_CAPACITY)
    }
}

impl LocalBus {
    /// A bus whose subscribers may lag by [`SUBSCRIPTION_CAPACITY`] messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A bus whose subscribers may lag by `capacity` messages (at least one).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let dropped_metric = opentelemetry::global::meter("banyan")
            .u64_counter("banyan_bus_dropped")
            .with_description("Messages that a subscriber missed because it lagged")
            .build();
        let shared = Shared { subscribers: RwLock::default(), dropped: AtomicU64::new(0), dropped_metric };
        Self { shared: Arc::new(shared), capacity: capacity.max(1) }
    }

    /// How many messages were dropped because a subscriber lagged.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, to: &mpsc::Sender<Message>, message: &Message) -> Delivery {
        match to.try_send(message.clone()) {
            Ok(()) => Delivery::Done,
            Err(TrySendError::Closed(_)) => Delivery::Closed,
            Err(TrySendError::Full(_)) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                self.shared.dropped_metric.add(1, &[]);
                Delivery::Done
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Done,
    Closed,
}

impl Subscribers {
    fn add(&mut self, pattern: &str, sender: mpsc::Sender<Message>) {
        if subject::is_wildcard(pattern) {
            self.wildcard.push((pattern.to_owned(), sender));
        } else {
            self.exact.entry(pattern.to_owned()).or_default().push(sender);
        }
    }

    fn forget_closed(&mut self) {
        self.wildcard.retain(|(_, sender)| !sender.is_closed());
        self.exact.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        subject::check_message(&message)?;
        let subscribers = self.shared.subscribers.read();
        let exact = subscribers.exact.get(&message.subject).into_iter().flatten();
        let wildcard = subscribers.wildcard.iter().filter(|(pattern, _)| subject::matches(pattern, &message.subject));
        let mut closed = false;
        for sender in exact.chain(wildcard.map(|(_, sender)| sender)) {
            closed |= self.send(sender, &message) == Delivery::Closed;
        }
        drop(subscribers);
        if closed {
            self.shared.subscribers.write().forget_closed();
        }
        Ok(())
    }

    async fn subscribe(&self, subject: &str) -> Result<Subscription, BusError> {
        subject::check_pattern(subject)?;
        let (sender, receiver) = mpsc::channel(self.capacity);
        let mut subscribers = self.shared.subscribers.write();
        // Subjects that nobody publishes to are cleaned here.
        subscribers.forget_closed();
        subscribers.add(subject, sender);
        drop(subscribers);
        Ok(ReceiverStream::new(receiver).boxed())
    }

    fn is_connected(&self) -> bool {
        true
    }
}

impl fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscribers = self.shared.subscribers.read();
        f.debug_struct("LocalBus")
            .field("subjects", &subscribers.exact.len())
            .field("wildcards", &subscribers.wildcard.len())
            .field("dropped", &self.dropped())
            .finish()
    }
}
