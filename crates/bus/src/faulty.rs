//! A bus that misbehaves on purpose, the same way for the same seed: what hints may suffer must never cost data.

use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use parking_lot::RwLock;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use crate::{Bus, BusError, Message, Subscription};

/// How often each fault happens to a message on its way to one subscriber, as probabilities from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The message never arrives.
    pub drop: f64,
    /// The message arrives twice.
    pub repeat: f64,
    /// The message, and all after it, arrive late.
    pub delay: f64,
    /// The message arrives late and others overtake it.
    pub reorder: f64,
    /// How late, at most.
    pub max_delay: Duration,
}

/// Wraps a bus. Each subscriber suffers its own faults. Clones share the switches.
#[derive(Clone, Debug)]
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    seed: u64,
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    faults: RwLock<Faults>,
    lose_all: AtomicBool,
    cut_off: AtomicBool,
    subscriptions: AtomicU64,
}

impl FaultyBus {
    /// A bus with the faults of `seed`.
    #[must_use]
    pub fn new(inner: Arc<dyn Bus>, seed: u64, faults: Faults) -> Self {
        let switches = Switches { faults: RwLock::new(faults), ..Switches::default() };
        Self { inner, seed, switches: Arc::new(switches) }
    }

    /// Changes the faults from here on.
    pub fn set_faults(&self, faults: Faults) {
        *self.switches.faults.write() = faults;
    }

    /// Loses every message silently, in both directions, until switched off.
    pub fn lose_all(&self, lose: bool) {
        self.switches.lose_all.store(lose, Ordering::SeqCst);
    }

    /// Behaves like a bus that cannot be reached: publishing fails, nothing arrives, and it says so.
    pub fn cut_off(&self, cut: bool) {
        self.switches.cut_off.store(cut, Ordering::SeqCst);
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        if self.switches.cut_off.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("cut off on purpose".to_owned()));
        }
        if self.switches.lose_all.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.publish(message).await
    }

    async fn subscribe(&self, subject: &str) -> Result<Subscription, BusError> {
        let inner = self.inner.subscribe(subject).await?;
        // Subscriptions are made in the same order in a repeated run, so each gets the same faults again.
        let number = self.switches.subscriptions.fetch_add(1, Ordering::SeqCst);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number);
        let way = FaultyWay {
            inner: Some(inner),
            rng,
            switches: self.switches.clone(),
            held: BinaryHeap::new(),
            number: 0,
            latest: None,
        };
        Ok(stream::unfold(way, |mut way| async move { way.next().await.map(|message| (message, way)) }).boxed())
    }

    fn is_connected(&self) -> bool {
        !self.switches.cut_off.load(Ordering::SeqCst) && self.inner.is_connected()
    }
}

/// The way of messages to one subscriber.
struct FaultyWay {
    inner: Option<Subscription>,
    rng: ChaCha8Rng,
    switches: Arc<Switches>,
    held: BinaryHeap<Held>,
    number: u64,
    /// When the last message that keeps its order is due.
    latest: Option<Instant>,
}

impl FaultyWay {
    async fn next(&mut self) -> Option<Message> {
        loop {
            let due = self.held.peek().map(|held| held.due);
            if due.is_some_and(|due| due <= Instant::now()) || self.inner.is_none() {
                let held = self.held.pop()?;
                tokio::time::sleep_until(held.due).await;
                return Some(held.message);
            }
            let Some(inner) = self.inner.as_mut() else { continue };
            tokio::select! {
                biased;
                () = sleep_until(due) => {}
                message = inner.next() => match message {
                    Some(message) => self.take(&message),
                    None => self.inner = None,
                },
            }
        }
    }

    fn take(&mut self, message: &Message) {
        let faults = *self.switches.faults.read();
        // Every message rolls all dice, so that one switch does not shift the others' sequence.
        let [drop, repeat, delay, reorder] =
            [faults.drop, faults.repeat, faults.delay, faults.reorder].map(|p| self.rng.random::<f64>() < p);
        let lateness = [faults.max_delay.mul_f64(self.rng.random()), faults.max_delay.mul_f64(self.rng.random())];
        if drop || self.switches.lose_all.load(Ordering::SeqCst) || self.switches.cut_off.load(Ordering::SeqCst) {
            return;
        }
        let now = Instant::now();
        let in_order = self.latest.map_or(now, |latest| latest.max(now));
        let due = match (reorder, delay) {
            (true, _) => now + lateness[0],
            (false, true) => *self.latest.insert(in_order + lateness[0]),
            (false, false) => in_order,
        };
        self.hold(due, message.clone());
        if repeat {
            self.hold(due + lateness[1], message.clone());
        }
    }

    fn hold(&mut self, due: Instant, message: Message) {
        self.number += 1;
        self.held.push(Held { due, number: self.number, message });
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A message on its way; the heap gives the one due first.
struct Held {
    due: Instant,
    number: u64,
    message: Message,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Order {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Order::Equal
    }
}

impl Eq for Held {}
