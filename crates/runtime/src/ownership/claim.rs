//! Taking a log: when one may, and how.

use std::{sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId};
use banyan_log::{ClaimError, LostReason, OwnedLog};
use banyan_proto::runtime::{YieldShardRequest, node_service_client::NodeServiceClient};
use banyan_store::{OwnerRow, StoreError};
use opentelemetry::KeyValue;

use super::Ownership;
use crate::{PingOutcome, Stage};

/// When to look again after the store or a claim failed.
const FAILED_PAUSE: Duration = Duration::from_millis(500);
/// When to look again at a log whose owner is alive and was asked for it.
const ASKED_PAUSE: Duration = Duration::from_secs(1);
/// How long an owner may take to answer whether it gives a log up.
const YIELD_PATIENCE: Duration = Duration::from_secs(1);

/// What the claim rule says about a log.
enum Verdict {
    /// Nobody serves it, or this process is meant to.
    Claim {
        /// Of the owner row that was judged; `None` if there is none.
        judged: Option<Epoch>,
        /// It was left to this process: not a take-over.
        given: bool,
    },
    /// Its owner is alive.
    Leave(OwnerRow),
    /// Not known yet.
    Wait(Duration),
}

impl Ownership {
    /// Sees to a busy slot that should be here.
    pub(super) async fn look(self: &Arc<Self>, log: LogId) {
        match self.judge(log).await {
            Verdict::Claim { judged, given } => self.claim(log, judged, given).await,
            Verdict::Leave(row) => self.ask_for(log, &row).await,
            Verdict::Wait(pause) => self.fail(log, pause),
        }
    }

    async fn recorded(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        // The semaphore is never closed.
        let _permit = self.claims.acquire().await;
        self.context.logs.owner(log).await
    }

    /// The claim rule: only if nobody owns it, or its owner is silent on the bus and does not answer a direct question.
    async fn judge(&self, log: LogId) -> Verdict {
        let row = match self.recorded(log).await {
            Ok(row) => row,
            Err(error) => {
                tracing::debug!(%log, %error, "cannot read who owns a shard");
                return Verdict::Wait(FAILED_PAUSE);
            }
        };
        let judged = row.as_ref().map(|row| row.epoch);
        let Some(row) = row.filter(|row| !row.owner.is_empty()) else { return Verdict::Claim { judged, given: false } };
        if row.owner == self.context.node.id {
            return Verdict::Claim { judged, given: true };
        }
        if self.exclusive || row.addr == self.context.node.addr {
            // An earlier run of this process.
            return Verdict::Claim { judged, given: false };
        }
        if self.context.discovery.membership().get(&row.owner).is_some() {
            return Verdict::Leave(row);
        }
        if self.context.discovery.is_just_gone(&row.owner) {
            return Verdict::Claim { judged, given: false };
        }
        self.question(row).await
    }

    /// Asks the recorded owner, who is not heard of, whether it is there.
    async fn question(&self, row: OwnerRow) -> Verdict {
        let gone = Verdict::Claim { judged: Some(row.epoch), given: false };
        match self.context.peers.ping(&row.addr, self.config.ping_timeout.into()).await {
            PingOutcome::Answered(info) => {
                let is_owner = info.id == row.owner;
                self.context.discovery.heard(info);
                if is_owner { Verdict::Leave(row) } else { gone }
            }
            PingOutcome::Refused => gone,
            PingOutcome::Silent => {
                // It has to have had the time to be heard of.
                let listened = self.context.clock.monotonic().saturating_sub(self.begun);
                let missing = self.config.silence.0.saturating_sub(listened);
                if missing.is_zero() { gone } else { Verdict::Wait(missing) }
            }
        }
    }

    pub(super) async fn claim(self: &Arc<Self>, log: LogId, judged: Option<Epoch>, given: bool) {
        // What was handed over is waited for, and whoever handed it over sees to it that it is not too much at once.
        let _permit = if given { None } else { self.claims.acquire().await.ok() };
        let begun = self.context.clock.monotonic();
        let Some(host) = self.hosts.get(&log.kind).filter(|_| !self.ending()) else { return self.fail(log, FAILED_PAUSE) };
        let node = self.context.log_node();
        let owned = match self.context.logs.claim_from(log, judged, &node, host.host.applier()).await {
            Ok(owned) => owned,
            Err(ClaimError::Taken { owner }) => {
                // Whoever has it now is judged next.
                tracing::debug!(%log, ?owner, "another process was faster");
                return self.fail(log, Duration::ZERO);
            }
            Err(error) => {
                tracing::warn!(%log, %error, "cannot claim a shard");
                return self.fail(log, FAILED_PAUSE);
            }
        };
        if let Err(error) = host.host.open(owned.clone()).await {
            tracing::warn!(%log, %error, "cannot open a shard");
            host.host.close(log).await;
            if let Err(error) = owned.release(None).await {
                tracing::debug!(%log, %error, "cannot release a shard that did not open");
            }
            return self.fail(log, FAILED_PAUSE);
        }
        let took = self.context.clock.monotonic().saturating_sub(begun);
        self.claim_duration.record(took.as_secs_f64(), &[KeyValue::new("kind", log.kind.as_str()), KeyValue::new("given", given)]);
        tracing::debug!(%log, epoch = %owned.epoch(), given, ?took, "owned");
        if given {
            self.slots.moved(log, self.context.clock.monotonic());
        }
        let epoch = owned.epoch();
        self.hold(log, owned);
        self.context.discovery.announce(log, epoch).await;
    }

    /// Marks a slot as owned, and waits for its loss.
    pub(super) fn hold(self: &Arc<Self>, log: LogId, owned: OwnedLog) {
        let (epoch, lost) = (owned.epoch(), owned.lost());
        self.slots.own(log, owned);
        let this = self.clone();
        self.context.shutdown.spawn(Stage::Shards, "hold a shard", async move {
            let stop = this.context.shutdown.stopping(Stage::Shards);
            tokio::select! {
                reason = lost => this.lost(log, epoch, reason).await,
                () = stop.cancelled() => {}
            }
        });
    }

    async fn lost(self: &Arc<Self>, log: LogId, epoch: Epoch, reason: LostReason) {
        // A hand-over under way sees to it itself.
        if self.slots.begin_leaving(log, Some(epoch)).is_none() {
            return;
        }
        tracing::warn!(%log, %epoch, ?reason, "lost a shard");
        match reason.owner().filter(|row| !row.addr.is_empty()) {
            Some(row) => self.context.router.set_owner(log, &row.addr),
            None => self.context.router.forget_owner(log),
        }
        if let Some(host) = self.hosts.get(&log.kind) {
            host.host.close(log).await;
        }
        self.fail(log, Duration::ZERO);
    }

    /// Asks a living owner to hand the log over.
    async fn ask_for(&self, log: LogId, row: &OwnerRow) {
        let accepted = self.ask_owner(log, row).await;
        tracing::trace!(%log, owner = row.owner, accepted, "asked for a shard");
        if self.slots.settle_elsewhere(log, self.context.clock.monotonic() + ASKED_PAUSE) {
            // It was handed over while its owner was asked for it.
            self.wake.notify_one();
        }
    }

    async fn ask_owner(&self, log: LogId, row: &OwnerRow) -> bool {
        let Ok(transport) = self.context.peers.get(&row.addr) else { return false };
        let me = &self.context.node;
        let request = YieldShardRequest { log: log.to_string(), node_id: me.id.clone(), addr: me.addr.clone() };
        let mut client = NodeServiceClient::new(transport);
        let answer = tokio::time::timeout(YIELD_PATIENCE, client.yield_shard(request)).await;
        matches!(answer, Ok(Ok(answer)) if answer.get_ref().accepted)
    }

    fn fail(&self, log: LogId, pause: Duration) {
        let now = self.context.clock.monotonic();
        self.slots.fail(log, now, now + pause);
        if pause.is_zero() {
            self.wake.notify_one();
        }
    }
}
