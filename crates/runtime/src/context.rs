//! What every role is given.

use std::{fmt, sync::Arc};

use banyan_bus::Bus;
use banyan_core::{Clock, Entropy, ShardCount};
use banyan_log::{Logs, Node};
use banyan_store::Store;

use crate::{Discovery, Health, NodeInfo, Peers, ShardRouter, Shutdown, Telemetry};

/// The parts of a process that its roles share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// This process.
    pub node: Arc<NodeInfo>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Tables and logs.
    pub store: Arc<dyn Store>,
    /// Hints.
    pub bus: Arc<dyn Bus>,
    /// Claims and follows logs.
    pub logs: Logs,
    /// How many shards each kind of log has, fixed for the installation.
    pub shards: ShardCount,
    /// Who is there.
    pub discovery: Arc<Discovery>,
    /// Connections to the others.
    pub peers: Arc<Peers>,
    /// Finds who answers.
    pub router: Arc<ShardRouter>,
    /// What is ready.
    pub health: Health,
    /// The owner of every task.
    pub shutdown: Shutdown,
    /// Metrics and traces.
    pub telemetry: Telemetry,
}

impl Context {
    /// This process as `shard_owner` names it.
    #[must_use]
    pub fn log_node(&self) -> Node {
        Node { id: self.node.id.clone(), addr: self.node.addr.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("node", &self.node).field("shards", &self.shards).finish_non_exhaustive()
    }
}
