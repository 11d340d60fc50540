//! Hears what the owners of shards tell over the bus, and asks them for what was missed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_bus::{Bus, Message, Subscription};
use banyan_core::{ServiceError, ShardCount, ShardId};
use banyan_proto::roomserver::TypingNews;
use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use prost::Message as _;
use tokio::time::MissedTickBehavior;

use super::Tails;
use crate::calls::AskOwners;

/// Between tries to subscribe.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked for what has lasted long enough, and asked again who did not answer.
const TICK: Duration = Duration::from_millis(500);
/// Owners asked at a time.
const PARALLEL: usize = 8;

/// What owners tell of one thing.
#[async_trait]
pub(super) trait Listener: Send + Sync {
    /// The bus subject, up to the shard.
    const SUBJECT: &'static str;

    /// Takes in news. True: some were missed.
    fn hear(&self, shard: ShardId, payload: Bytes) -> bool;

    /// Asks the owner of a shard for everything. True: some are still missing.
    async fn ask(&self, shard: ShardId) -> Result<bool, ServiceError>;

    /// Time passes.
    fn tick(&self);
}

/// Takes in what owners say. Ends never.
pub(super) async fn run<L: Listener>(listener: L, bus: Arc<dyn Bus>, shards: ShardCount) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Before anybody is asked: nothing falls in between.
    let mut messages = subscribe(&*bus, L::SUBJECT).await;
    let mut to_ask: BTreeSet<ShardId> = shards.shards().collect();
    let mut later = BTreeSet::new();
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < PARALLEL
            && let Some(shard) = to_ask.pop_first()
        {
            let ask = listener.ask(shard);
            asked.push(async move { (shard, ask.await) });
        }
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => {
                    if let Some(shard) = shard_of(&message)
                        && listener.hear(shard, message.payload)
                    {
                        to_ask.insert(shard);
                    }
                }
                None => messages = subscribe(&*bus, L::SUBJECT).await,
            },
            Some((shard, answer)) = asked.next(), if !asked.is_empty() => match answer {
                Ok(false) => {}
                Ok(true) => drop(later.insert(shard)),
                Err(error) => {
                    tracing::debug!(subject = L::SUBJECT, %shard, %error, "an owner does not say what it knows just now");
                    later.insert(shard);
                }
            },
            _ = tick.tick() => {
                listener.tick();
                to_ask.append(&mut later);
            }
        }
    }
}

fn shard_of(message: &Message) -> Option<ShardId> {
    message.subject.rsplit_once('.')?.1.parse().ok().map(ShardId)
}

async fn subscribe(bus: &dyn Bus, subject: &str) -> Subscription {
    loop {
        match bus.subscribe(&format!("{subject}.*")).await {
            Ok(messages) => return messages,
            Err(error) => tracing::debug!(subject, %error, "owners are not heard just now"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Who types.
pub(super) struct TypingListener {
    pub(super) tails: Arc<Tails>,
    pub(super) owners: Arc<dyn AskOwners>,
}

#[async_trait]
impl Listener for TypingListener {
    const SUBJECT: &'static str = "ty";

    fn hear(&self, shard: ShardId, payload: Bytes) -> bool {
        match TypingNews::decode(payload) {
            Ok(news) => self.tails.typing_news(shard, news),
            Err(error) => {
                tracing::debug!(%error, "a message about who types cannot be read");
                false
            }
        }
    }

    async fn ask(&self, shard: ShardId) -> Result<bool, ServiceError> {
        let answer = self.owners.who_types(shard).await?;
        Ok(self.tails.typing_answer(shard, answer))
    }

    fn tick(&self) {
        self.tails.expire_typing();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use banyan_bus::LocalBus;
    use parking_lot::Mutex;
    use tokio::sync::mpsc;

    use super::*;

    /// An owner that does not answer the first question about shard 1, and whose first answer about shard 2 is not whole.
    struct Owner {
        asked: mpsc::UnboundedSender<ShardId>,
        heard: Mutex<Vec<Bytes>>,
        fails: AtomicUsize,
    }

    #[async_trait]
    impl Listener for Arc<Owner> {
        const SUBJECT: &'static str = "xx";

        fn hear(&self, _: ShardId, payload: Bytes) -> bool {
            self.heard.lock().push(payload.clone());
            payload == "missed"
        }

        async fn ask(&self, shard: ShardId) -> Result<bool, ServiceError> {
            self.asked.send(shard).unwrap();
            match shard {
                ShardId(1) if self.fails.fetch_sub(1, Ordering::SeqCst) == 2 => Err(ServiceError::unavailable("not now")),
                ShardId(2) if self.fails.fetch_sub(1, Ordering::SeqCst) == 1 => Ok(true),
                _ => Ok(false),
            }
        }

        fn tick(&self) {}
    }

    #[tokio::test(start_paused = true)]
    async fn every_owner_is_asked_until_it_has_answered_and_when_something_was_missed() {
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::new());
        let (asked, mut questions) = mpsc::unbounded_channel();
        let owner = Arc::new(Owner { asked, heard: Mutex::default(), fails: AtomicUsize::new(2) });
        let task = tokio::spawn(run(owner.clone(), bus.clone(), ShardCount::new(4).unwrap()));
        let mut next = async || questions.recv().await.unwrap().0;
        assert_eq!([next().await, next().await, next().await, next().await], [0, 1, 2, 3]);
        assert_eq!([next().await, next().await], [1, 2], "again");
        for payload in ["news", "missed"] {
            let message = Message { subject: "xx.3".to_owned(), headers: Vec::new(), payload: payload.into() };
            bus.publish(message).await.unwrap();
        }
        assert_eq!(next().await, 3);
        assert_eq!(*owner.heard.lock(), ["news", "missed"]);
        task.abort();
    }
}
