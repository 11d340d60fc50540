//! NATS, Cassandra, and replicas of every role on loopback.

use std::path::Path;

use banyan_testkit::{
    cassandra::{Cassandra, CassandraOptions},
    nats::Nats,
};
use futures::future::join_all;
use tokio::sync::{Mutex, MutexGuard};

use crate::node::{Common, Node};

/// The roles, in the order in which they are started.
pub const ROLES: [&str; 5] = ["roomserver", "userserver", "sync", "federation-api", "client-api"];

/// Waits until no other cluster runs in this test binary: ten processes and a database are what a machine of two cores can bear.
pub async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// An installation of many processes. One runs at a time in a test binary; the others wait.
#[derive(Debug)]
pub struct Cluster {
    /// The event bus.
    pub nats: Nats,
    /// The database.
    pub cassandra: Cassandra,
    /// Processes by role.
    nodes: Vec<(&'static str, Node)>,
    _dir: tempfile::TempDir,
    /// The last to go: fields are dropped in this order.
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts `replicas` of every role and waits until all are ready.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start(replicas: usize, tenants: &[&str]) -> Self {
        let turn = turn().await;
        let (cassandra, nats) = tokio::join!(Cassandra::start(CassandraOptions::default()), Nats::start());
        let dir = tempfile::tempdir().expect("a directory");
        let mut common = Common::clustered(&cassandra.contact_point(), &Cassandra::fresh_keyspace(), &nats.url()).cheap_passwords();
        for (n, tenant) in tenants.iter().enumerate() {
            common = common.tenant(tenant, n == 0);
        }
        let nodes = nodes(replicas, dir.path(), &common);
        let mut cluster = Self { nats, cassandra, nodes, _dir: dir, _turn: turn };
        cluster.start_all().await;
        cluster
    }

    async fn start_all(&mut self) {
        self.nodes.iter_mut().for_each(|(_, node)| node.spawn());
        join_all(self.nodes.iter_mut().map(|(_, node)| node.ready())).await;
    }

    /// The replicas of a role.
    pub fn replicas(&mut self, role: &str) -> Vec<&mut Node> {
        self.nodes.iter_mut().filter(|(own, _)| *own == role).map(|(_, node)| node).collect()
    }

    /// Replica `n` of a role.
    ///
    /// # Panics
    /// If there is none.
    pub fn replica(&mut self, role: &str, n: usize) -> &mut Node {
        self.replicas(role).into_iter().nth(n).expect("a replica")
    }

    /// How many processes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Process `n`, in starting order.
    pub fn node(&mut self, n: usize) -> &mut Node {
        &mut self.nodes[n].1
    }

    /// Base URLs of the client-server API, one per client-api.
    #[must_use]
    pub fn client_urls(&self) -> Vec<String> {
        self.nodes.iter().filter(|(role, _)| *role == "client-api").map(|(_, node)| node.client_url()).collect()
    }
}

/// `replicas` processes of every role, not started.
#[must_use]
pub fn nodes(replicas: usize, dir: &Path, common: &Common) -> Vec<(&'static str, Node)> {
    let names = ROLES.into_iter().flat_map(|role| (0..replicas).map(move |n| (role, format!("{role}-{n}"))));
    names.map(|(role, name)| (role, Node::new(&name, dir, &[role], common))).collect()
}
