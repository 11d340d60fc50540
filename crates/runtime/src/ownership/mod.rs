//! Which logs this process owns, and how they come and go. docs/architecture.md, "Shard logs", has the rules: a live owner is never
//! robbed; a log moves from a live owner only by a hand-over that both sides agree on.

mod claim;
mod hand_over;
mod slots;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use banyan_core::{Epoch, LogId, LogKind, ServiceError};
use banyan_log::{Node, OwnedLog};
use opentelemetry::{KeyValue, metrics::Histogram};
use tokio::sync::{Notify, Semaphore};

use self::slots::Slots;
use crate::{
    Context, Membership, Role, ShardHost, Stage,
    config::OwnershipConfig,
    health::{Part, Weight},
};

/// How often shards are looked through when nothing happens.
const REVIEW_INTERVAL: Duration = Duration::from_millis(250);
/// How often an owned shard is checked to be still owned, if it is idle; often if the hash says that it belongs elsewhere.
const CHECK_INTERVAL: Duration = Duration::from_secs(15);
const DOUBTFUL_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// A shard that should be here and is nowhere makes its role unready after this long (at the start, at once).
const UNSETTLED_PATIENCE: Duration = Duration::from_secs(5);
/// How long a host may take to prepare for a shard.
const PREPARE_PATIENCE: Duration = Duration::from_secs(5);

/// The shards of this process.
pub struct Ownership {
    context: Context,
    config: OwnershipConfig,
    hosts: BTreeMap<LogKind, Host>,
    /// No other process can have the store.
    exclusive: bool,
    slots: Slots,
    claims: Semaphore,
    hand_overs: Arc<Semaphore>,
    /// When this process began to listen to the others.
    begun: Duration,
    wake: Notify,
    claim_duration: Histogram<f64>,
}

struct Host {
    host: Arc<dyn ShardHost>,
    part: Part,
}

impl Ownership {
    pub(crate) fn new(context: Context, config: OwnershipConfig, hosts: Vec<Arc<dyn ShardHost>>, exclusive: bool) -> Arc<Self> {
        let named = hosts.into_iter().map(|host| {
            let part = context.health.register(Role::owner_of(host.kind()).as_str(), Weight::Required);
            (host.kind(), Host { host, part })
        });
        let hosts: BTreeMap<LogKind, Host> = named.collect();
        let logs = hosts.keys().flat_map(|kind| context.shards.shards().map(|shard| LogId { kind: *kind, shard }));
        let slots = Slots::new(logs);
        let count = |configured: usize| if exclusive { Semaphore::MAX_PERMITS } else { configured.max(1) };
        let claim_duration = opentelemetry::global::meter("banyan")
            .f64_histogram("banyan_shard_claim_duration")
            .with_unit("s")
            .with_description("How long it took to claim and open a shard")
            .build();
        Arc::new(Self {
            begun: context.clock.monotonic(),
            claims: Semaphore::new(count(config.claim_parallelism)),
            hand_overs: Arc::new(Semaphore::new(count(config.handover_parallelism))),
            context,
            config,
            hosts,
            exclusive,
            slots,
            wake: Notify::new(),
            claim_duration,
        })
    }

    /// The logs this process owns now, in order.
    #[must_use]
    pub fn owned(&self) -> Vec<LogId> {
        self.slots.owned()
    }

    /// A log, if this process owns it now.
    #[must_use]
    pub fn get(&self, log: LogId) -> Option<OwnedLog> {
        self.slots.get(log)
    }

    /// Begins to look after shards, until the stage [`Stage::Shards`] of the shutdown, which hands them all over.
    pub(crate) fn start(self: &Arc<Self>) {
        self.observe();
        let (this, stop) = (self.clone(), self.context.shutdown.stopping(Stage::Shards));
        self.context.shutdown.spawn_vital(Stage::Shards, "ownership", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.look_after() => {}
            }
        });
        let this = self.clone();
        self.context.shutdown.on(Stage::Shards, "hand over all shards", move || Box::pin(async move { this.drain().await }));
    }

    /// Answers `PrepareShard`.
    pub(crate) async fn prepare(&self, log: LogId) -> Result<(), ServiceError> {
        let host = self.host_for(log)?;
        tokio::time::timeout(PREPARE_PATIENCE, host.prepare(log))
            .await
            .map_err(|_| ServiceError::unavailable(format!("{log} was not prepared in time")))
    }

    /// Answers `TakeShard`: `shard_owner` names this process since `epoch`.
    pub(crate) fn take(self: &Arc<Self>, log: LogId, epoch: Epoch) -> Result<(), ServiceError> {
        self.host_for(log)?;
        tracing::debug!(%log, %epoch, "was handed to this process");
        if self.slots.begin_taking(log) {
            let this = self.clone();
            self.context.shutdown.spawn(Stage::Shards, "take a shard", async move {
                this.claim(log, Some(epoch), true).await;
                this.report_health();
            });
        }
        Ok(())
    }

    /// Answers `YieldShard`: whether a hand-over to `to` begins. Only if both processes see it the same way.
    pub(crate) fn give_up(self: &Arc<Self>, log: LogId, to: &Node) -> bool {
        let membership = self.context.discovery.membership();
        if membership.get(&to.id).is_none() {
            // Its heartbeats do not arrive here; if it answers it is alive all the same, and may ask again.
            self.context.discovery.suspect(&to.addr);
        }
        let agreed = self.chosen(&membership, log).is_some_and(|node| node.id == to.id && node.addr == to.addr);
        if !agreed {
            return false;
        }
        let now = self.context.clock.monotonic();
        let draining = self.context.discovery.me().draining;
        if self.slots.get(log).is_none() {
            // The caller found this process in `shard_owner`: if that is so, it must be claimed before it can be handed over.
            self.slots.name(log);
            return false;
        }
        if !draining && self.slots.moved_within(log, now, self.config.rebalance_interval.into()) {
            return false;
        }
        let Ok(permit) = self.hand_overs.clone().try_acquire_owned() else { return false };
        let (this, target) = (self.clone(), to.clone());
        self.context.shutdown.spawn(Stage::Shards, "hand over a shard", async move {
            this.hand_over(log, Some(target)).await;
            drop(permit);
        });
        true
    }

    fn host_for(&self, log: LogId) -> Result<Arc<dyn ShardHost>, ServiceError> {
        if self.ending() {
            return Err(ServiceError::unavailable("this process is leaving"));
        }
        self.hosts
            .get(&log.kind)
            .map(|host| host.host.clone())
            .ok_or_else(|| ServiceError::unavailable(format!("this process does not run the {}", Role::owner_of(log.kind))))
    }

    fn ending(&self) -> bool {
        self.context.shutdown.triggered().is_cancelled()
    }

    /// Whether the log's owner is alive and about to leave: it hands over by itself what it has.
    fn is_being_left(&self, membership: &Membership, log: LogId) -> bool {
        let owner = self.context.discovery.owners().get(log);
        owner.is_some_and(|addr| membership.nodes().any(|node| node.draining && node.addr == addr))
    }

    fn chosen<'a>(&self, membership: &'a Membership, log: LogId) -> Option<&'a crate::NodeInfo> {
        membership.choose(Role::owner_of(log.kind), &log.to_string())
    }

    async fn look_after(self: &Arc<Self>) {
        let mut members = self.context.discovery.watch();
        loop {
            self.review();
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(REVIEW_INTERVAL) => {}
                changed = members.changed() => match changed {
                    Ok(()) => self.slots.look_now(),
                    Err(_) => return,
                },
            }
        }
    }

    /// Looks for shards that should be here and are not, and sees to each in a task of its own.
    fn review(self: &Arc<Self>) {
        if self.ending() {
            return;
        }
        let membership = self.context.discovery.membership();
        let now = self.context.clock.monotonic();
        let is_mine = |log| self.chosen(&membership, log).is_some_and(|node| node.id == self.context.node.id);
        // A slot that is being looked at cannot be taken, so what comes by itself is left alone.
        for log in self.slots.begin_looks(now, |log| is_mine(log) && !self.is_being_left(&membership, log)) {
            let this = self.clone();
            self.context.shutdown.spawn(Stage::Shards, "look at a shard", async move {
                this.look(log).await;
                this.report_health();
            });
        }
        self.check_owned(now, is_mine);
        self.report_health();
    }

    /// Finds out about shards that somebody else has claimed, by a look at their heads: one that is idle would never learn of it.
    fn check_owned(&self, now: Duration, is_mine: impl Fn(LogId) -> bool) {
        let next = |log| if is_mine(log) { CHECK_INTERVAL } else { DOUBTFUL_CHECK_INTERVAL };
        for owned in self.slots.begin_checks(now, next) {
            self.context.shutdown.spawn(Stage::Shards, "check a shard", async move {
                // If it is lost, `lost` resolves; if the store does not answer, the next check will tell.
                if let Err(error) = owned.check_lease().await {
                    tracing::debug!(log = %owned.id(), %error, "a shard may be lost");
                }
            });
        }
    }

    fn report_health(&self) {
        let membership = self.context.discovery.membership();
        let now = self.context.clock.monotonic();
        for (kind, host) in &self.hosts {
            let is_mine =
                |log: LogId| log.kind == *kind && self.chosen(&membership, log).is_some_and(|n| n.id == self.context.node.id);
            match self.slots.unsettled(now, UNSETTLED_PATIENCE, is_mine) {
                0 => host.part.ready(),
                count => host.part.not_ready(format!("{count} shards are not served yet")),
            }
        }
    }

    fn observe(self: &Arc<Self>) {
        let this = Arc::downgrade(self);
        opentelemetry::global::meter("banyan")
            .u64_observable_gauge("banyan_shards_owned")
            .with_description("Shards this process owns, by kind")
            .with_callback(move |observer| {
                let Some(this) = this.upgrade() else { return };
                let owned = this.owned();
                for kind in this.hosts.keys() {
                    let count = owned.iter().filter(|log| log.kind == *kind).count();
                    observer.observe(u64::try_from(count).unwrap_or(u64::MAX), &[KeyValue::new("kind", kind.as_str())]);
                }
            })
            .build();
    }
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ownership").field("owned", &self.owned().len()).finish_non_exhaustive()
    }
}
