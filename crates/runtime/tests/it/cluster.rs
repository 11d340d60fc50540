//! An installation whose processes are threads: each has a tokio runtime of its own, so that it can be killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use banyan_bus::{Bus, Faults, FaultyBus, LocalBus};
use banyan_core::{Entropy, LogId, LogSeq, ShardCount, SystemClock, SystemEntropy};
use banyan_log::{LogConfig, Logs, Proposal};
use banyan_runtime::{
    Context, Ownership, Parts, Role, Runtime, Shutdown, Telemetry,
    config::{GrpcConfig, HumanDuration, NodeConfig, OwnershipConfig, RuntimeConfig, ShutdownConfig},
};
use banyan_store::{Table, memory::MemoryStore};
use banyan_testkit::process::until;
use tonic::service::RoutesBuilder;

use crate::host::Host;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const SHARDS: u16 = 16;

/// What all processes share.
#[derive(Clone)]
pub(crate) struct Installation {
    pub(crate) store: MemoryStore,
    pub(crate) bus: LocalBus,
    pub(crate) clock: Arc<SystemClock>,
}

/// How one process differs from the others.
#[derive(Clone, Default)]
pub(crate) struct Special {
    /// What it tells the others instead of its address.
    pub(crate) advertise: Option<String>,
    /// Where it listens.
    pub(crate) port: u16,
    /// Nothing it sends or should receive on the bus gets through, from the beginning.
    pub(crate) mute: bool,
    /// How often shards may move.
    pub(crate) rebalance: Duration,
}

/// A running process.
pub(crate) struct Process {
    pub(crate) context: Context,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) host: Arc<Host>,
    pub(crate) bus: FaultyBus,
    pub(crate) admin_addr: std::net::SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
    end: Option<tokio::task::JoinHandle<bool>>,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(SystemClock::default());
        let tables: Vec<&'static Table> = banyan_log::tables::ALL.iter().chain(banyan_runtime::TABLES).copied().collect();
        let store = MemoryStore::new(&tables, clock.clone(), 1).expect("a store");
        Self { store, bus: LocalBus::new(), clock }
    }

    /// Logs without a process.
    pub(crate) fn logs(&self) -> Logs {
        let store = Arc::new(self.store.clone());
        Logs::new(store, Arc::new(self.bus.clone()), self.clock.clone(), entropy(), LogConfig::default())
    }

    pub(crate) async fn start(&self) -> Process {
        self.start_special(Special::default()).await
    }

    pub(crate) async fn start_special(&self, special: Special) -> Process {
        let bus = FaultyBus::new(Arc::new(self.bus.clone()), 1, Faults::default());
        bus.lose_all(special.mute);
        let parts = self.parts(bus.clone(), &special);
        let host = Arc::new(Host::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let in_runtime = host.clone();
        let started = runtime.spawn(async move {
            let prepared = Runtime::prepare(parts).await.expect("a process that can start");
            let running = prepared.start(RoutesBuilder::default(), vec![in_runtime]).expect("a process that starts");
            let handles = (running.context().clone(), running.ownership().clone(), running.admin_addr());
            (handles, tokio::spawn(running.run_to_end()))
        });
        let ((context, ownership, admin_addr), end) = started.await.expect("a process that started");
        Process { context, ownership, host, bus, admin_addr, runtime: Some(runtime), end: Some(end) }
    }

    pub(crate) fn parts(&self, bus: FaultyBus, special: &Special) -> Parts {
        let ownership = OwnershipConfig {
            heartbeat_interval: HumanDuration::millis(50),
            silence: HumanDuration::millis(500),
            ping_timeout: HumanDuration::millis(500),
            rebalance_interval: HumanDuration(special.rebalance),
            ..OwnershipConfig::default()
        };
        let node = NodeConfig {
            roles: vec![Role::Roomserver],
            listen: ([127, 0, 0, 1], special.port).into(),
            advertise: special.advertise.clone(),
            admin_listen: ([127, 0, 0, 1], 0).into(),
            grpc: GrpcConfig::default(),
        };
        let shutdown = ShutdownConfig::default();
        let config = RuntimeConfig { node, ownership, shutdown: shutdown.clone(), ..RuntimeConfig::default() };
        let entropy = Arc::new(SystemEntropy);
        Parts {
            config,
            node_id: Parts::identify(&*entropy),
            version: "test".to_owned(),
            clock: self.clock.clone(),
            entropy,
            store: Arc::new(self.store.clone()),
            bus: Arc::new(bus) as Arc<dyn Bus>,
            log: LogConfig::default(),
            telemetry: Telemetry::detached().expect("telemetry"),
            shutdown: Shutdown::new(shutdown),
            shards: ShardCount::new(SHARDS),
            exclusive: false,
        }
    }
}

impl Process {
    pub(crate) fn addr(&self) -> &str {
        &self.context.node.addr
    }

    pub(crate) fn owned(&self) -> BTreeSet<LogId> {
        self.ownership.owned().into_iter().collect()
    }

    pub(crate) fn closed(&self) -> usize {
        self.host.closed.load(Ordering::SeqCst)
    }

    /// Ends it as a crash would: nothing is handed over, every socket closes.
    pub(crate) fn kill(mut self) {
        self.runtime.take().expect("a running process").shutdown_background();
    }

    /// Ends it in order.
    pub(crate) async fn end(mut self) {
        self.context.shutdown.trigger();
        let end = self.end.take().expect("a running process");
        assert!(tokio::time::timeout(PATIENCE, end).await.expect("an end in time").expect("no panic"));
    }

    /// The share of shards that the hash gives it, as it sees it itself.
    pub(crate) fn share(&self) -> BTreeSet<LogId> {
        let membership = self.context.discovery.membership();
        let mine =
            |log: &LogId| membership.choose(Role::Roomserver, &log.to_string()).is_some_and(|node| node.id == self.context.node.id);
        all_logs().filter(mine).collect()
    }

    /// Appends to a log it owns; panics if it does not get through in time.
    pub(crate) async fn append(&self, log: LogId) -> LogSeq {
        until("an append", PATIENCE, async || self.try_append(log).await).await
    }

    /// Appends to a log if it owns it and gets through.
    pub(crate) async fn try_append(&self, log: LogId) -> Option<LogSeq> {
        let owned = self.ownership.get(log)?;
        let proposal = Proposal { body: "entry".into(), ..Proposal::default() };
        let committed = owned.propose(vec![proposal]).ok()?.await.ok()?;
        Some(committed[0].seq)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn all_logs() -> impl Iterator<Item = LogId> {
    ShardCount::new(SHARDS).expect("a power of two").shards().map(LogId::rooms)
}

/// Waits until every shard is owned by the process that the hash says, all processes agreeing.
pub(crate) async fn balanced(processes: &[&Process]) {
    let is_balanced = || {
        let all_there = processes.iter().all(|process| process.context.discovery.membership().nodes().count() == processes.len());
        let as_hashed = processes.iter().all(|process| process.owned() == process.share());
        let count: usize = processes.iter().map(|process| process.owned().len()).sum();
        all_there && as_hashed && count == usize::from(SHARDS)
    };
    let wait = until("every shard where the hash says", PATIENCE * 2, async || is_balanced().then_some(()));
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        for process in processes {
            let missing: Vec<_> = process.share().difference(&process.owned()).map(ToString::to_string).collect();
            eprintln!("{}: {:?}, missing {missing:?}, {:?}", process.addr(), process.context.discovery, process.ownership);
            eprintln!("{:?} {:?}", process.context.health, epochs(process).await);
        }
        panic!("the shards are not where the hash says");
    }
}

/// The epoch of every shard as recorded.
pub(crate) async fn epochs(process: &Process) -> BTreeMap<LogId, u64> {
    let mut epochs = BTreeMap::new();
    for log in all_logs() {
        let row = process.context.logs.owner(log).await.expect("a store that answers");
        epochs.insert(log, row.map_or(0, |row| row.epoch.0));
    }
    epochs
}

/// A port on which nobody listens.
pub(crate) fn dead_addr() -> String {
    format!("127.0.0.1:{}", banyan_testkit::ports::free_port())
}

/// A seed for nothing in particular.
pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}
