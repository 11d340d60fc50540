//! Who is there: heartbeats on the bus, and a direct question to whoever falls silent or was called in vain. And who begins to serve a
//! shard, which processes tell each other on the bus, too.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use banyan_bus::{Bus, Message, Subscription};
use banyan_core::{Clock, Epoch, LogId};
use banyan_proto::runtime::{Heartbeat, ShardServed, Suspicion};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use crate::{Membership, NodeInfo, Peers, config::OwnershipConfig, owners::Owners, peers::PingOutcome};

/// The subject of heartbeats.
pub const BEAT_SUBJECT: &str = "node.beat";
/// Where it is told who begins to serve a shard.
const OWNER_SUBJECT: &str = "node.owner";
/// Where it is told at which address nobody was found.
const SUSPECT_SUBJECT: &str = "node.suspect";
/// All of them.
const SUBJECTS: &str = "node.*";

/// Processes that were found gone are remembered for so long, so that a late heartbeat does not bring them back.
const GONE_MEMORY: Duration = Duration::from_secs(60);
/// For how long the others need not be asked again whether a process that was found gone is gone.
const GONE_FRESH: Duration = Duration::from_secs(2);
/// Processes known at most; heartbeats of further ones are ignored.
const MAX_NODES: usize = 4096;
/// Addresses that wait to be asked; when there are more, the question is dropped and comes again with the next failed call.
const MAX_SUSPECTS: usize = 256;

/// The processes of the installation as this one sees them.
pub struct Discovery {
    me: NodeInfo,
    bus: Arc<dyn Bus>,
    peers: Arc<Peers>,
    clock: Arc<dyn Clock>,
    config: OwnershipConfig,
    draining: AtomicBool,
    beat: AtomicU64,
    known: Mutex<Known>,
    membership: watch::Sender<Arc<Membership>>,
    suspects: mpsc::Sender<String>,
    suspects_receiver: Mutex<Option<mpsc::Receiver<String>>>,
    beat_now: tokio::sync::Notify,
    owners: Owners,
}

/// Why an address is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing was heard from there.
    Silence,
    /// A call of this process failed.
    FailedCall,
    /// Another process found nobody there.
    Told,
}

#[derive(Default)]
struct Known {
    nodes: BTreeMap<String, Peer>,
    /// Nodes found gone: their last beat, and when that was.
    gone: HashMap<String, (u64, Duration)>,
}

struct Peer {
    info: NodeInfo,
    heard: Duration,
    beat: u64,
}

impl Discovery {
    /// Knows only this process until [`Discovery::run`] runs.
    #[must_use]
    pub fn new(me: NodeInfo, bus: Arc<dyn Bus>, peers: Arc<Peers>, clock: Arc<dyn Clock>, config: OwnershipConfig) -> Arc<Self> {
        let membership = Arc::new(Membership::from_iter([me.clone()]));
        let (suspects, suspects_receiver) = mpsc::channel(MAX_SUSPECTS);
        Arc::new(Self {
            me,
            bus,
            peers,
            clock,
            config,
            draining: AtomicBool::new(false),
            beat: AtomicU64::new(0),
            known: Mutex::default(),
            membership: watch::Sender::new(membership),
            suspects,
            suspects_receiver: Mutex::new(Some(suspects_receiver)),
            beat_now: tokio::sync::Notify::new(),
            owners: Owners::default(),
        })
    }

    /// This process.
    #[must_use]
    pub fn me(&self) -> NodeInfo {
        NodeInfo { draining: self.draining.load(Ordering::SeqCst), ..self.me.clone() }
    }

    /// Who is alive now, this process included.
    #[must_use]
    pub fn membership(&self) -> Arc<Membership> {
        self.membership.borrow().clone()
    }

    /// Changes of who is alive.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Membership>> {
        self.membership.subscribe()
    }

    /// Says goodbye: the others give this process nothing new from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.publish_membership();
        self.beat_now.notify_one();
    }

    /// Who owns what, as last heard.
    pub(crate) const fn owners(&self) -> &Owners {
        &self.owners
    }

    /// Tells everybody that this process serves a log from now on.
    pub(crate) async fn announce(&self, log: LogId, epoch: Epoch) {
        self.owners.announce(log, epoch, &self.me.addr);
        let served = ShardServed { log: log.to_string(), epoch: epoch.0, addr: self.me.addr.clone() };
        self.publish(OWNER_SUBJECT, &served).await;
    }

    /// Whether a process was found gone a moment ago: it was silent for long and did not answer, or nobody is at its address.
    pub(crate) fn is_just_gone(&self, id: &str) -> bool {
        let now = self.clock.monotonic();
        self.known.lock().gone.get(id).is_some_and(|(_, since)| now.saturating_sub(*since) < GONE_FRESH)
    }

    /// Notes that a process is alive, for example because it answered.
    pub fn heard(&self, info: NodeInfo) {
        let beat = self.known.lock().nodes.get(&info.id).map_or(0, |peer| peer.beat);
        self.note(info, beat, true);
    }

    /// Whoever is at this address may be gone, or may be there unheard: asks it soon. Who answers is on the list then, and who refuses
    /// the connection is off it.
    pub fn suspect(&self, addr: &str) {
        if addr != self.me.addr {
            // A full queue means that others are being asked already.
            let _ = self.suspects.try_send(addr.to_owned());
        }
    }

    /// Beats and listens until `stop`. To be run once.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let Some(suspects) = self.suspects_receiver.lock().take() else { return };
        let mut run =
            Run { subscription: None, suspects, asking: HashMap::new(), answers: FuturesUnordered::new(), discovery: self };
        tokio::select! {
            () = stop.cancelled() => {}
            () = run.forever() => {}
        }
    }

    fn note(&self, info: NodeInfo, beat: u64, answered: bool) {
        if info.id == self.me.id || info.id.is_empty() {
            return;
        }
        let now = self.clock.monotonic();
        let mut known = self.known.lock();
        if known.gone.get(&info.id).is_some_and(|(last, _)| beat <= *last && !answered) {
            return;
        }
        if known.nodes.get(&info.id).is_some_and(|peer| beat < peer.beat) {
            return;
        }
        if known.nodes.len() >= MAX_NODES && !known.nodes.contains_key(&info.id) {
            return;
        }
        known.gone.remove(&info.id);
        // A new run at the same address means that the old one has ended.
        known.nodes.retain(|id, peer| *id == info.id || peer.info.addr != info.addr);
        known.nodes.insert(info.id.clone(), Peer { info, heard: now, beat });
        drop(known);
        self.publish_membership();
    }

    fn forget(&self, id: &str) {
        let mut known = self.known.lock();
        let now = self.clock.monotonic();
        if let Some(peer) = known.nodes.remove(id) {
            tracing::info!(node = id, addr = peer.info.addr, "a process is gone");
            known.gone.retain(|_, (_, since)| now.saturating_sub(*since) < GONE_MEMORY);
            known.gone.insert(id.to_owned(), (peer.beat, now));
        }
        drop(known);
        self.publish_membership();
    }

    fn publish_membership(&self) {
        let known = self.known.lock();
        let all = known.nodes.values().map(|peer| peer.info.clone()).chain([self.me()]);
        let membership: Membership = all.collect();
        // Under the lock, so that an older list never overwrites a newer one.
        self.membership.send_if_modified(|current| {
            let changed = **current != membership;
            if changed {
                *current = Arc::new(membership);
            }
            changed
        });
    }

    /// Addresses of the processes that have not been heard of for too long.
    fn silent(&self) -> Vec<String> {
        let now = self.clock.monotonic();
        let silence: Duration = self.config.silence.into();
        let known = self.known.lock();
        known.nodes.values().filter(|peer| now.saturating_sub(peer.heard) >= silence).map(|peer| peer.info.addr.clone()).collect()
    }

    /// Whether a process is known to be at `addr`.
    fn knows(&self, addr: &str) -> bool {
        self.known.lock().nodes.values().any(|peer| peer.info.addr == addr)
    }

    /// Judges the answer to a question who is at `addr`; answers whether a process that was known there turned out to be gone.
    fn judge(&self, addr: &str, outcome: PingOutcome) -> bool {
        let silent = self.silent();
        let known = self.known.lock();
        let there = known.nodes.values().filter(|peer| peer.info.addr == addr).map(|peer| peer.info.id.clone());
        let there: Vec<String> = there.collect();
        drop(known);
        let answering = match &outcome {
            PingOutcome::Answered(info) => Some(info.id.clone()),
            PingOutcome::Refused => None,
            // Busy perhaps: gone only if the bus has heard nothing either.
            PingOutcome::Silent if silent.iter().any(|other| other == addr) => None,
            PingOutcome::Silent => return false,
        };
        let gone: Vec<&String> = there.iter().filter(|id| Some(*id) != answering.as_ref()).collect();
        gone.iter().for_each(|id| self.forget(id));
        if let PingOutcome::Answered(info) = outcome {
            self.heard(info);
        }
        !gone.is_empty()
    }

    fn hear_beat(&self, payload: Bytes) -> Result<(), prost::DecodeError> {
        let beat = Heartbeat::decode(payload)?;
        let roles = beat.roles.iter().filter_map(|role| role.parse().ok()).collect();
        let info = NodeInfo { id: beat.node_id, addr: beat.addr, roles, draining: beat.draining, version: beat.version };
        self.note(info, beat.beat, false);
        Ok(())
    }

    fn hear_owner(&self, payload: Bytes) -> Result<(), prost::DecodeError> {
        let served = ShardServed::decode(payload)?;
        if let Ok(log) = served.log.parse() {
            self.owners.announce(log, Epoch(served.epoch), &served.addr);
        }
        Ok(())
    }

    async fn beat(&self) {
        let me = self.me();
        let roles = me.roles.iter().map(ToString::to_string).collect();
        let beat = self.beat.fetch_add(1, Ordering::SeqCst) + 1;
        let heartbeat = Heartbeat { node_id: me.id, addr: me.addr, roles, draining: me.draining, version: me.version, beat };
        self.publish(BEAT_SUBJECT, &heartbeat).await;
    }

    async fn publish(&self, subject: &str, message: &impl prost::Message) {
        let message = Message { subject: subject.to_owned(), headers: Vec::new(), payload: message.encode_to_vec().into() };
        if let Err(error) = self.bus.publish(message).await {
            tracing::debug!(subject, %error, "the others were not told");
        }
    }
}

/// What the one running loop has beside the shared state.
struct Run {
    discovery: Arc<Discovery>,
    subscription: Option<Subscription>,
    suspects: mpsc::Receiver<String>,
    asking: HashMap<String, Doubt>,
    answers: FuturesUnordered<BoxFuture<'static, (String, PingOutcome)>>,
}

impl Run {
    async fn forever(&mut self) {
        let mut tick = tokio::time::interval(self.discovery.config.heartbeat_interval.0.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let discovery = self.discovery.clone();
        loop {
            tokio::select! {
                _ = tick.tick() => self.tick().await,
                () = discovery.beat_now.notified() => discovery.beat().await,
                message = next(&mut self.subscription) => match message {
                    Some(message) => self.hear(message),
                    None => self.subscription = None,
                },
                Some(addr) = self.suspects.recv() => self.ask(addr, Doubt::FailedCall),
                Some((addr, outcome)) = self.answers.next() => self.judge(addr, outcome).await,
            }
        }
    }

    async fn tick(&mut self) {
        if self.subscription.is_none() {
            match self.discovery.bus.subscribe(SUBJECTS).await {
                Ok(subscription) => self.subscription = Some(subscription),
                Err(error) => tracing::warn!(%error, "cannot listen for heartbeats; trying again"),
            }
        }
        self.discovery.beat().await;
        self.drain_heard();
        for addr in self.discovery.silent() {
            self.ask(addr, Doubt::Silence);
        }
    }

    fn hear(&mut self, message: Message) {
        let heard = match message.subject.as_str() {
            BEAT_SUBJECT => self.discovery.hear_beat(message.payload),
            OWNER_SUBJECT => self.discovery.hear_owner(message.payload),
            SUSPECT_SUBJECT => Suspicion::decode(message.payload).map(|suspicion| self.hear_suspicion(suspicion.addr)),
            _ => Ok(()),
        };
        if let Err(error) = heard {
            tracing::debug!(subject = message.subject, %error, "a message that cannot be read");
        }
    }

    /// Only who is on the list can be taken off it: a flood of suspicions asks nobody twice.
    fn hear_suspicion(&mut self, addr: String) {
        if self.discovery.knows(&addr) {
            self.ask(addr, Doubt::Told);
        }
    }

    /// Judges an answer, and tells the others of a process that is gone, unless they know already or will notice themselves.
    async fn judge(&mut self, addr: String, outcome: PingOutcome) {
        let doubt = self.asking.remove(&addr);
        if self.discovery.judge(&addr, outcome) && doubt == Some(Doubt::FailedCall) {
            self.discovery.publish(SUSPECT_SUBJECT, &Suspicion { addr }).await;
        }
    }

    /// Takes in what has arrived already, so that nobody is called silent because this process was slow.
    fn drain_heard(&mut self) {
        while let Some(Some(Some(message))) = self.subscription.as_mut().map(|subscription| subscription.next().now_or_never()) {
            self.hear(message);
        }
    }

    fn ask(&mut self, addr: String, doubt: Doubt) {
        if !self.asking.contains_key(&addr) {
            self.asking.insert(addr.clone(), doubt);
            let (peers, patience) = (self.discovery.peers.clone(), self.discovery.config.ping_timeout.into());
            self.answers.push(Box::pin(async move {
                let outcome = peers.ping(&addr, patience).await;
                (addr, outcome)
            }));
        }
    }
}

async fn next(subscription: &mut Option<Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("me", &self.me.id).field("membership", &self.membership()).finish_non_exhaustive()
    }
}
