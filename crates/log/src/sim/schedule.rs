//! One schedule: its world, its course, its end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use banyan_bus::{Bus, Faults as BusFaults, FaultyBus, LocalBus};
use banyan_core::{Clock, Entropy, LogId, SeededEntropy, ShardId, TimestampMicros};
use banyan_store::memory::{Faults, MemoryControl, MemoryStore};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Sabotage, actors, chaos,
    ledger::Ledger,
    model,
    node_store::{Broken, Gate, NodeStore},
    verdict,
};
use crate::{LogConfig, Logs, Node, OwnedLog, tables};

pub(super) const ROOMS: LogId = LogId::rooms(ShardId(0));
pub(super) const USERS: LogId = LogId::users(ShardId(0));
pub(super) const LOGS: [LogId; 2] = [ROOMS, USERS];
pub(super) const KEYS: i64 = 4;
const NODES: usize = 3;
const CLIENTS: usize = 3;

/// What a schedule is allowed to suffer; drawn from its seed.
#[derive(Clone, Debug)]
pub(super) struct Storm {
    pub(super) length: Duration,
    pub(super) bucket_len: u64,
    pub(super) faults: bool,
    pub(super) outages: bool,
    pub(super) pauses: bool,
    pub(super) kills: bool,
    pub(super) crashes: bool,
    pub(super) bus: bool,
    pub(super) theft: f64,
    pub(super) hand_overs: bool,
}

/// What a schedule is told from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twist {
    pub(super) sabotage: Option<Sabotage>,
    pub(super) broken: Broken,
    pub(super) forgets_promises: bool,
    pub(super) reads_at_one: bool,
}

/// Time as a node sees it: tokio's, which is paused, and a little off.
#[derive(Clone, Debug)]
pub(super) struct SimClock {
    origin: Instant,
    offset: i64,
}

impl Clock for SimClock {
    fn now(&self) -> TimestampMicros {
        TimestampMicros(1_700_000_000_000_000 + self.offset + i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(0))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A process: it may be stopped, and die and come back under another name.
pub(super) struct SimNode {
    pub(super) index: usize,
    pub(super) gate: Gate,
    clock: Arc<SimClock>,
    life: Mutex<Life>,
}

struct Life {
    run: u32,
    logs: Logs,
    owned: BTreeMap<LogId, OwnedLog>,
    managers: JoinSet<()>,
}

/// All there is in a schedule.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) storm: Storm,
    pub(super) twist: Twist,
    pub(super) store: MemoryStore,
    pub(super) control: MemoryControl,
    pub(super) bus: Arc<FaultyBus>,
    pub(super) clock: SimClock,
    pub(super) entropy: Arc<SeededEntropy>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) nodes: Vec<SimNode>,
    pub(super) stopping: AtomicBool,
    pub(super) commands: AtomicI64,
}

/// What came of a schedule that broke no rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) entries: usize,
    pub(super) acknowledged: usize,
    pub(super) unknown: usize,
    pub(super) epochs: u64,
    pub(super) sightings: usize,
    pub(super) stale_reads: u64,
    /// Of everything that was committed and answered, for comparing two runs.
    pub(super) digest: String,
}

/// Runs the schedule of a seed.
pub(super) fn run(seed: u64, twist: Twist) -> Result<Summary, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let world = Arc::new(World::new(seed, twist));
        let course = course(world);
        course.await
    })
}

async fn course(world: Arc<World>) -> Result<Summary, String> {
    let mut actors = JoinSet::new();
    world.cursors_begin().await;
    world.nodes.iter().for_each(|node| world.clone().start_managers(node.index));
    for client in 0..CLIENTS {
        actors.spawn(actors::client(world.clone(), client));
    }
    for number in 0..2 {
        actors.spawn(actors::follower(world.clone(), number));
        actors.spawn(actors::fan_out(world.clone(), number));
    }
    let storm = tokio::spawn(chaos::chaos(world.clone()));
    tokio::time::sleep(world.storm.length).await;
    storm.abort();
    let _ = storm.await;
    chaos::calm(&world);
    // Some time in good weather: whoever waits for an answer gets one.
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.stopping.store(true, Ordering::SeqCst);
    while !actors.is_empty() {
        let ended = tokio::time::timeout(Duration::from_secs(120), actors.join_next()).await;
        let ended = ended.map_err(|_| format!("{} actors never ended", actors.len()))?;
        ended.transpose().map_err(|error| format!("an actor failed: {error}"))?;
    }
    world.nodes.iter().for_each(SimNode::end);
    let judged = tokio::time::timeout(Duration::from_secs(120), verdict::judge(&world)).await;
    judged.unwrap_or_else(|_| Err("the judge waits for ever".to_owned()))
}

impl Storm {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            length: Duration::from_millis(rng.random_range(2_000..8_000)),
            bucket_len: [4, 8, 16, 64][rng.random_range(0..4)],
            faults: rng.random_bool(0.7),
            outages: rng.random_bool(0.4),
            pauses: rng.random_bool(0.7),
            kills: rng.random_bool(0.5),
            crashes: rng.random_bool(0.4),
            bus: rng.random_bool(0.7),
            theft: [0.02, 0.1, 0.4][rng.random_range(0..3)],
            hand_overs: rng.random_bool(0.5),
        }
    }
}

impl World {
    fn new(seed: u64, twist: Twist) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let storm = Storm::draw(&mut rng);
        let clock = SimClock { origin: Instant::now(), offset: 0 };
        let known: Vec<_> = tables::ALL.iter().copied().chain([&model::LAST, &model::SEEN]).collect();
        let store = MemoryStore::new(&known, Arc::new(clock.clone()), seed).expect("the tables do not clash");
        let control = store.control();
        control.set_faults(calm_faults(twist));
        let bus = Arc::new(FaultyBus::new(Arc::new(LocalBus::new()), seed, BusFaults::default()));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let ledger = Arc::new(Ledger::default());
        let (stopping, commands) = (AtomicBool::new(false), AtomicI64::new(1));
        let mut world =
            Self { seed, storm, twist, store, control, bus, clock, entropy, ledger, nodes: Vec::new(), stopping, commands };
        for index in 0..NODES {
            let offset = rng.random_range(-2_000_000..2_000_000);
            world.nodes.push(world.node(index, offset));
        }
        world
    }

    fn node(&self, index: usize, offset: i64) -> SimNode {
        let gate = Gate::new();
        let clock = Arc::new(SimClock { offset, ..self.clock.clone() });
        let logs = self.logs(&gate, clock.clone());
        SimNode { index, gate, clock, life: Mutex::new(Life { run: 0, logs, owned: BTreeMap::new(), managers: JoinSet::new() }) }
    }

    pub(super) fn config(&self) -> LogConfig {
        LogConfig {
            bucket_len: self.storm.bucket_len,
            max_batch_entries: 8,
            max_queue_entries: 40,
            safe_lag: Duration::from_secs(3),
            upkeep_interval: Duration::from_secs(3),
            silence: Duration::from_secs(1),
            retention_min: Duration::from_secs(6),
            retention_max: Duration::from_secs(100_000),
            request_memory_entries: 20,
            give_up_after: Duration::from_secs(3),
            claim_timeout: Duration::from_secs(4),
            sabotage: self.twist.sabotage,
            ..LogConfig::default()
        }
    }

    fn logs(&self, gate: &Gate, clock: Arc<SimClock>) -> Logs {
        let store = self.node_store(gate, self.twist.broken);
        let (bus, entropy): (Arc<dyn Bus>, Arc<dyn Entropy>) = (self.bus.clone(), self.entropy.clone());
        Logs::new(Arc::new(store), bus, clock, entropy, self.config())
    }

    pub(super) fn node_store(&self, gate: &Gate, broken: Broken) -> NodeStore {
        let (inner, ledger) = (self.store.clone(), self.ledger.clone());
        NodeStore { inner, gate: gate.clone(), ledger, bucket_len: self.storm.bucket_len, broken, clock: self.clock.clone() }
    }

    /// Randomness of one actor.
    pub(super) fn rng(&self, actor: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(1 + actor);
        rng
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The fan-out is registered before anything can be dropped.
    async fn cursors_begin(&self) {
        let cursors = self.nodes[0].logs().cursors(actors::FAN_OUT);
        cursors.save(ROOMS, banyan_core::LogSeq(0)).await.expect("the store has no faults yet");
        // Long enough that no crash takes the registration back.
        tokio::time::sleep(calm_faults(self.twist).crash_window).await;
    }

    /// Somebody who thinks that it owns a log.
    pub(super) fn owner(&self, log: LogId, rng: &mut ChaCha8Rng) -> Option<OwnedLog> {
        let owners: Vec<OwnedLog> = self.nodes.iter().filter_map(|node| node.owned(log)).collect();
        if owners.is_empty() { None } else { Some(owners[rng.random_range(0..owners.len())].clone()) }
    }

    pub(super) fn start_managers(self: Arc<Self>, index: usize) {
        let node = &self.nodes[index];
        let run = node.life.lock().run;
        for log in LOGS {
            let manager = actors::manager(self.clone(), index, run, log);
            node.life.lock().managers.spawn(manager);
        }
    }

    /// The process dies and starts again at once under a new name.
    pub(super) fn restart(self: &Arc<Self>, index: usize) {
        let node = &self.nodes[index];
        node.end();
        let logs = self.logs(&node.gate, node.clock.clone());
        {
            let mut life = node.life.lock();
            life.run += 1;
            life.logs = logs;
        }
        self.clone().start_managers(index);
    }
}

impl SimNode {
    pub(super) fn logs(&self) -> Logs {
        self.life.lock().logs.clone()
    }

    pub(super) fn name(&self) -> Node {
        let run = self.life.lock().run;
        Node { id: format!("node{}-{run}", self.index), addr: format!("node{}:7000", self.index) }
    }

    pub(super) fn owned(&self, log: LogId) -> Option<OwnedLog> {
        self.life.lock().owned.get(&log).cloned()
    }

    pub(super) fn take(&self, log: LogId) -> Option<OwnedLog> {
        self.life.lock().owned.remove(&log)
    }

    pub(super) fn keep(&self, run: u32, owned: OwnedLog) {
        let mut life = self.life.lock();
        if life.run == run {
            life.owned.insert(owned.id(), owned);
        }
    }

    /// The process is gone, with all it had in memory.
    pub(super) fn end(&self) {
        let (owned, mut managers) = {
            let mut life = self.life.lock();
            (std::mem::take(&mut life.owned), std::mem::replace(&mut life.managers, JoinSet::new()))
        };
        managers.abort_all();
        // Clients may hold clones: a dead process answers none of them.
        owned.into_values().for_each(|owned| owned.kill());
    }
}

/// A store in good health, but for what the schedule wants to prove.
pub(super) fn calm_faults(twist: Twist) -> Faults {
    Faults {
        latency: Duration::from_micros(200)..Duration::from_millis(4),
        crash_window: Duration::from_secs(2),
        forgets_promises: twist.forgets_promises,
        reads_at_one: twist.reads_at_one,
        ..Faults::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimError;

    #[tokio::test(start_paused = true)]
    async fn a_node_whose_clock_is_far_off_owns_nothing() {
        let world = World::new(0, Twist::default());
        for offset in [6_000_000, -6_000_000] {
            let node = world.node(9, offset);
            let claimed = node.logs().claim(ROOMS, &node.name(), Arc::new(model::Model)).await;
            assert!(matches!(claimed, Err(ClaimError::ClockSkew { .. })), "{:?}", claimed.err());
        }
        let node = world.node(9, 4_900_000);
        assert!(node.logs().claim(ROOMS, &node.name(), Arc::new(model::Model)).await.is_ok());
    }
}
