//! Puts a process together, runs it and ends it.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use banyan_bus::Bus;
use banyan_core::{Clock, Entropy, ShardCount};
use banyan_log::{LogConfig, Logs};
use banyan_store::{Store, StoreError};
use tokio::net::TcpListener;
use tonic::service::RoutesBuilder;

use crate::{
    Context, Discovery, Health, Identity, InstallationError, NodeInfo, Ownership, Peers, ShardHost, ShardRouter, Shutdown, Stage,
    Telemetry, admin,
    config::{NodeConfig, RuntimeConfig},
    grpc,
    health::{Part, Weight},
    installation,
    node::NodeRpc,
};

/// How often the store and the bus are looked after.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long the store may take to answer before it counts as not ready.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// What a process is made of.
#[derive(Clone)]
pub struct Parts {
    /// The common configuration.
    pub config: RuntimeConfig,
    /// Identity of this run, from [`Parts::identify`].
    pub node_id: String,
    /// The program's version.
    pub version: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Tables and logs.
    pub store: Arc<dyn Store>,
    /// Hints.
    pub bus: Arc<dyn Bus>,
    /// Limits of logs.
    pub log: LogConfig,
    /// Metrics and traces.
    pub telemetry: Telemetry,
    /// The end of the process. Tests make one per process; a program calls [`Shutdown::listen_for_signals`] on it.
    pub shutdown: Shutdown,
    /// The number of shards for a first start; checked later. `None` takes what is there.
    pub shards: Option<ShardCount>,
    /// No other process can have this store (the embedded one): every recorded owner is an earlier run and gone.
    pub exclusive: bool,
}

impl Parts {
    /// A new identity for a process run.
    #[must_use]
    pub fn identify(entropy: &dyn Entropy) -> String {
        entropy.lowercase(20)
    }
}

/// A process could not start. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// The stored data is not for this process.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The configuration lacks something.
    #[error("{0}")]
    Config(String),
    /// The process was told to end before it had started.
    #[error("told to end before it had started")]
    Ended,
}

/// A process that has its listeners and its context, and serves nothing yet.
#[derive(Debug)]
pub struct Runtime {
    context: Context,
    config: RuntimeConfig,
    listener: TcpListener,
    admin_addr: SocketAddr,
    exclusive: bool,
    start: Part,
}

impl Runtime {
    /// Opens the listeners, serves health and metrics, and waits for the store if it does not answer yet.
    ///
    /// # Errors
    /// When a listener cannot be opened, or the stored data does not fit.
    pub async fn prepare(parts: Parts) -> Result<Self, StartError> {
        let listener = grpc::bind(parts.config.node.listen).await?;
        let admin_listener = grpc::bind(parts.config.node.admin_listen).await?;
        let admin_addr = admin_listener.local_addr()?;
        let addr = advertised(&parts.config.node, listener.local_addr()?)?;
        let health = Health::new();
        // Until the roles are there and have registered, nothing else says that this process cannot serve yet.
        let start = health.register("start", Weight::Required);
        serve_admin(admin_listener, &health, &parts);
        watch_dependencies(&health, &parts);
        let identity = open_installation(&parts).await?;
        let context = context(&parts, addr, health, &identity);
        tracing::info!(node = context.node.id, addr = context.node.addr, %admin_addr, shards = identity.shards.get(), "prepared");
        Ok(Self { context, config: parts.config, listener, admin_addr, exclusive: parts.exclusive, start })
    }

    /// What roles are built from.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Serves the roles' gRPC services, joins the others, and begins to own shards through the roles' hosts.
    ///
    /// # Errors
    /// When a role that owns shards has no host or a host has no role.
    pub fn start(self, mut routes: RoutesBuilder, hosts: Vec<Arc<dyn ShardHost>>) -> Result<Running, StartError> {
        let Self { context, config, listener, admin_addr, exclusive, start } = self;
        check_hosts(&context.node, &hosts)?;
        let ownership = Ownership::new(context.clone(), config.ownership, hosts, exclusive);
        routes.add_service(NodeRpc::new(context.clone(), ownership.clone()).into_server());
        let routes = grpc::instrumented(routes.routes());
        context.peers.set_local(grpc::local(&routes));
        serve_grpc(&context.shutdown, listener, routes, config.node.grpc);
        let stop = context.shutdown.stopping(Stage::Background);
        context.shutdown.spawn_vital(Stage::Background, "discovery", context.discovery.clone().run(stop));
        ownership.start();
        say_goodbye(&context);
        start.ready();
        Ok(Running { context, ownership, admin_addr })
    }
}

/// A process that serves.
#[derive(Debug)]
pub struct Running {
    context: Context,
    ownership: Arc<Ownership>,
    admin_addr: SocketAddr,
}

impl Running {
    /// What roles are built from.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The shards of this process.
    #[must_use]
    pub const fn ownership(&self) -> &Arc<Ownership> {
        &self.ownership
    }

    /// Where health and metrics are served.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Waits until the process is told to end, ends it in order, and returns whether all was well.
    pub async fn run_to_end(self) -> bool {
        let well = self.context.shutdown.run().await;
        let telemetry = self.context.telemetry.clone();
        // It may wait for a collector, and must not do so on a thread of the runtime.
        let flushed = tokio::task::spawn_blocking(move || telemetry.flush()).await;
        well && flushed.is_ok()
    }
}

fn context(parts: &Parts, addr: String, health: Health, identity: &Identity) -> Context {
    let node = NodeInfo {
        id: parts.node_id.clone(),
        addr: addr.clone(),
        roles: parts.config.node.roles.clone(),
        draining: false,
        version: parts.version.clone(),
    };
    let (clock, entropy, bus, store) = (parts.clock.clone(), parts.entropy.clone(), parts.bus.clone(), parts.store.clone());
    let peers = Arc::new(Peers::new(addr, identity.id.clone(), parts.config.node.grpc.clone()));
    let discovery = Discovery::new(node.clone(), bus.clone(), peers.clone(), clock.clone(), parts.config.ownership.clone());
    let logs = Logs::new(store.clone(), bus.clone(), clock.clone(), entropy.clone(), parts.log.clone());
    let router = ShardRouter::new(logs.clone(), discovery.clone(), peers.clone(), clock.clone(), entropy.clone());
    Context {
        node: Arc::new(node),
        clock,
        entropy,
        store,
        bus,
        logs,
        shards: identity.shards,
        discovery,
        peers,
        router: Arc::new(router),
        health,
        shutdown: parts.shutdown.clone(),
        telemetry: parts.telemetry.clone(),
    }
}

/// The address to tell the others.
fn advertised(config: &NodeConfig, listening: SocketAddr) -> Result<String, StartError> {
    match &config.advertise {
        Some(addr) => Ok(addr.clone()),
        None if listening.ip().is_unspecified() => Err(StartError::Config(format!(
            "node.listen is {listening}, which others cannot connect to: set node.advertise to the address they can (host:port)"
        ))),
        None => Ok(listening.to_string()),
    }
}

/// Waits for the store as long as it takes: a process that starts before its store must not crash.
async fn open_installation(parts: &Parts) -> Result<Identity, StartError> {
    let triggered = parts.shutdown.triggered();
    loop {
        let error = match installation::open(&*parts.store, &*parts.clock, &*parts.entropy, parts.shards).await {
            Ok(identity) => return Ok(identity),
            Err(InstallationError::Store(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_)))) => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!(%error, "waiting for the store");
        tokio::select! {
            () = triggered.cancelled() => return Err(StartError::Ended),
            () = tokio::time::sleep(WATCH_INTERVAL) => {}
        }
    }
}

fn check_hosts(node: &NodeInfo, hosts: &[Arc<dyn ShardHost>]) -> Result<(), StartError> {
    for kind in node.roles.iter().filter_map(|role| role.owns()) {
        if hosts.iter().filter(|host| host.kind() == kind).count() != 1 {
            return Err(StartError::Config(format!("the role that owns {kind:?} needs exactly one host")));
        }
    }
    match hosts.iter().find(|host| !node.roles.iter().any(|role| role.owns() == Some(host.kind()))) {
        Some(host) => Err(StartError::Config(format!("a host for {:?} without its role", host.kind()))),
        None => Ok(()),
    }
}

fn serve_grpc(shutdown: &Shutdown, listener: TcpListener, routes: tonic::service::Routes, config: crate::config::GrpcConfig) {
    let stop = shutdown.stopping(Stage::Internal);
    shutdown.spawn_vital(Stage::Internal, "grpc", async move {
        if let Err(error) = grpc::serve(listener, routes, &config, stop).await {
            tracing::error!(%error, "the gRPC server failed");
        }
    });
}

fn serve_admin(listener: TcpListener, health: &Health, parts: &Parts) {
    let router = admin::router(health.clone(), parts.telemetry.clone(), parts.shutdown.triggered());
    let stop = parts.shutdown.stopping(Stage::Admin);
    parts.shutdown.spawn_vital(Stage::Admin, "admin", async move {
        if let Err(error) = admin::serve(listener, router, stop.cancelled_owned()).await {
            tracing::error!(%error, "the admin listener failed");
        }
    });
}

/// The others learn at once that this process is about to leave.
fn say_goodbye(context: &Context) {
    let (discovery, triggered) = (context.discovery.clone(), context.shutdown.triggered());
    context.shutdown.spawn(Stage::Listeners, "goodbye", async move {
        triggered.cancelled().await;
        discovery.drain();
    });
}

/// Keeps the state of store and bus in the health report. Without the bus a process works on, slower; without the store it cannot.
fn watch_dependencies(health: &Health, parts: &Parts) {
    let store_part = health.register("store", Weight::Required);
    let bus_part = health.register("bus", Weight::Degrading);
    let (store, bus) = (parts.store.clone(), parts.bus.clone());
    let stop = parts.shutdown.stopping(Stage::Admin);
    parts.shutdown.spawn(Stage::Admin, "watch dependencies", async move {
        loop {
            match tokio::time::timeout(STORE_PATIENCE, store.store_time()).await {
                Ok(answer) => store_part.set_result(&answer),
                Err(_) => store_part.not_ready("no answer"),
            }
            if bus.is_connected() {
                bus_part.ready();
            } else {
                bus_part.not_ready("not connected");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
            }
        }
    });
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).field("node_id", &self.node_id).finish_non_exhaustive()
    }
}
