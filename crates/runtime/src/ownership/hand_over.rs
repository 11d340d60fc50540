//! Giving a log away: the target gets ready, this process freezes and flushes, and the store names the target.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId};
use banyan_log::Node;
use banyan_proto::runtime::{PrepareShardRequest, TakeShardRequest, node_service_client::NodeServiceClient};
use tokio::time::timeout;

use super::{Ownership, PREPARE_PATIENCE};

/// How long the target may take to note that a log is its own.
const TAKE_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is told; after that it finds out by itself.
const TAKE_TRIES: usize = 3;
/// How often a draining process looks whether claims under way have ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// When a log that was handed over may be looked at again.
const HANDED_PAUSE: Duration = Duration::from_secs(1);

impl Ownership {
    /// Hands a log over, or leaves it to nobody. Nothing happens if it is not owned (any more), or if the target is not ready.
    pub(super) async fn hand_over(self: &Arc<Self>, log: LogId, to: Option<Node>) {
        let Some(owned) = self.slots.get(log) else { return };
        // It is served here while the target gets ready.
        let ready = async {
            match &to {
                Some(target) => self.prepare_at(log, target).await,
                None => true,
            }
        };
        if !tokio::join!(ready, owned.prepare_release()).0 {
            return;
        }
        let Some(owned) = self.slots.begin_leaving(log, None) else { return };
        let released = owned.release(to.clone()).await;
        let told = async {
            match (&released, &to) {
                (Ok(epoch), Some(target)) => {
                    tracing::debug!(%log, %epoch, to = target.addr, "handed over");
                    self.context.router.set_owner(log, &target.addr);
                    self.tell(log, *epoch, target).await;
                }
                _ => self.context.router.forget_owner(log),
            }
        };
        let closed = async {
            if let Some(host) = self.hosts.get(&log.kind) {
                host.host.close(log).await;
            }
        };
        // Commands under way may take their time to end; the target need not wait for them, as nothing that they propose gets in.
        tokio::join!(told, closed);
        let now = self.context.clock.monotonic();
        match released {
            Ok(_) => {
                if self.slots.hand_over(log, now, now + HANDED_PAUSE) {
                    self.wake.notify_one();
                }
            }
            Err(error) => {
                tracing::warn!(%log, %error, "a hand-over failed; any may claim the shard now");
                self.slots.fail(log, now, now);
                self.wake.notify_one();
            }
        }
    }

    /// Hands everything over and returns when nothing is left. The others know already that this process is leaving.
    pub(super) async fn drain(self: &Arc<Self>) {
        self.context.discovery.drain();
        loop {
            let logs = self.owned();
            futures::future::join_all(logs.into_iter().map(|log| self.drain_one(log))).await;
            if !self.slots.any_left() {
                return;
            }
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }

    async fn drain_one(self: &Arc<Self>, log: LogId) {
        // The semaphore is never closed.
        let Ok(_permit) = self.hand_overs.acquire().await else { return };
        let membership = self.context.discovery.membership();
        if let Some(target) = self.chosen(&membership, log).filter(|_| !self.exclusive) {
            let target = Node { id: target.id.clone(), addr: target.addr.clone() };
            self.hand_over(log, Some(target)).await;
        }
        // Nobody is there or ready: whoever comes finds it free.
        self.hand_over(log, None).await;
    }

    async fn prepare_at(&self, log: LogId, target: &Node) -> bool {
        let Ok(transport) = self.context.peers.get(&target.addr) else { return false };
        let mut client = NodeServiceClient::new(transport);
        let request = PrepareShardRequest { log: log.to_string() };
        match timeout(PREPARE_PATIENCE, client.prepare_shard(request)).await {
            Ok(Ok(_)) => true,
            Ok(Err(status)) => {
                tracing::info!(%log, to = target.addr, %status, "the target of a hand-over is not ready");
                false
            }
            Err(_) => {
                tracing::info!(%log, to = target.addr, "the target of a hand-over does not answer");
                false
            }
        }
    }

    /// Tells the target, so that it need not find out by itself.
    async fn tell(&self, log: LogId, epoch: Epoch, target: &Node) {
        let Ok(transport) = self.context.peers.get(&target.addr) else { return };
        let mut client = NodeServiceClient::new(transport);
        for _ in 0..TAKE_TRIES {
            let request = TakeShardRequest { log: log.to_string(), epoch: epoch.0 };
            if let Ok(Ok(_)) = timeout(TAKE_PATIENCE, client.take_shard(request)).await {
                return;
            }
        }
        tracing::warn!(%log, to = target.addr, "the target of a hand-over was not told; it will find out");
    }
}
