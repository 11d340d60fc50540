//! A real CQL database: Apache Cassandra, one node on a loopback address of its own.

mod fetch;
mod options;

use std::{
    net::TcpStream,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::options::CassandraOptions;
use crate::{
    ports::free_port,
    process::{Process, until},
};

const PORT: u16 = 9042;
/// A loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(180);

/// A node, killed when dropped. Its data is kept over [`Self::kill`] and [`Self::start_again`], and ends with it.
#[derive(Debug)]
pub struct Cassandra {
    address: String,
    options: CassandraOptions,
    process: Option<Process>,
    dir: TempDir,
}

impl Cassandra {
    /// Starts a node and waits until it takes connections, which is some ten seconds.
    ///
    /// # Panics
    /// If Java 17 or Maven are missing (the text names what to install), or if it does not start.
    pub async fn start(options: CassandraOptions) -> Self {
        let dir = TempDir::with_prefix("banyan-cassandra-").expect("a temporary directory");
        // All of 127/8 is this machine; a port that was given to nobody else makes an address that nobody else has.
        let [high, low] = free_port().to_be_bytes();
        let address = format!("127.{high}.{low}.1");
        let mut node = Self { address, options, process: None, dir };
        node.start_again().await;
        node
    }

    /// The node that the tests of this process share; each test takes a keyspace of its own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cassandra> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(CassandraOptions::default())).await
    }

    /// The name of a keyspace that no other test has.
    #[must_use]
    pub fn fresh_keyspace() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Where it listens, `host:port`.
    #[must_use]
    pub fn contact_point(&self) -> String {
        format!("{}:{PORT}", self.address)
    }

    /// Its output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Starts it on the data it has, and waits until it takes connections.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let command = self.options.command(self.dir.path(), &self.address, &self.address);
        let started = Process::start("cassandra", command, &self.dir.path().join("output.log"));
        let process = self.process.insert(started.expect("a shell"));
        let contact_point = format!("{}:{PORT}", self.address);
        until("Cassandra", PATIENCE, async || {
            assert!(process.ended().is_none(), "Cassandra ended: {}", process.output());
            TcpStream::connect(&contact_point).ok()
        })
        .await;
    }

    /// Kills it as a power failure of the machine would not: what it handed to the operating system stays.
    pub fn kill(&mut self) {
        // Dropping kills.
        self.process = None;
    }

    /// Stops it from running, connections and all, until [`Self::resume`].
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it run on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.process.as_ref().and_then(|process| i32::try_from(process.id()).ok()) {
            // Failing means that it is gone already.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}
