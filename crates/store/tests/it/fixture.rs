//! A store to test, and how time passes for it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use banyan_core::{ManualClock, SystemEntropy, TimestampMicros};
use banyan_store::{
    Column, Compaction, Mode, Store, Table,
    cql::{CqlConfig, CqlStore},
    embedded::{EmbeddedConfig, EmbeddedStore},
    memory::MemoryStore,
};
use banyan_testkit::cassandra::Cassandra;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::OnceCell};

const fn table(name: &'static str, partition: &'static [Column], clustering: &'static [Column], mode: Mode) -> Table {
    Table { name, partition, clustering, mode, compaction: Compaction::Leveled }
}

pub(crate) static ROWS: Table = table("test_rows", &[Column::text("p")], &[Column::text("a"), Column::int("b")], Mode::Derived);
pub(crate) static SINGLE: Table = table("test_single", &[Column::text("p"), Column::int("q")], &[], Mode::Derived);
pub(crate) static BLOBS: Table = table("test_blobs", &[Column::blob("p")], &[Column::blob("c")], Mode::Derived);
/// Its columns are reserved words of CQL.
pub(crate) static CACHE: Table = table("test_cache", &[Column::text("token")], &[Column::text("order")], Mode::Cache);
pub(crate) static PROMISES: Table = table("test_promises", &[Column::text("p")], &[Column::text("k")], Mode::Conditional);
pub(crate) static TABLES: &[&Table] = &[&ROWS, &SINGLE, &BLOBS, &CACHE, &PROMISES];

/// When the tests' clock begins.
pub(crate) const START: TimestampMicros = TimestampMicros(1_700_000_000_000_000);

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(START)
}

/// The runtime that outlives the single test: a driver's session dies with its runtime.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"))
}

pub(crate) fn cql_config(node: &Cassandra, keyspace: &str) -> CqlConfig {
    let mut config = CqlConfig::new(vec![node.contact_point()]);
    config.keyspace = keyspace.to_owned();
    config.replication.insert("replication_factor".to_owned(), "1".to_owned());
    config
}

/// A store, with names in it that no other test uses.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    /// A partition of the test's own.
    pub(crate) name: &'static str,
    /// A shard of the test's own, with 64 free ones after it.
    pub(crate) shard: u16,
    clock: Option<ManualClock>,
    _dir: Option<TempDir>,
}

impl Fixture {
    pub(crate) fn memory(name: &'static str) -> Self {
        let clock = clock();
        let store = MemoryStore::new(TABLES, Arc::new(clock.clone()), 1).expect("a memory store");
        Self { store: Arc::new(store), name, shard: 0, clock: Some(clock), _dir: None }
    }

    pub(crate) fn embedded(name: &'static str) -> Self {
        let clock = clock();
        let dir = TempDir::new().expect("a directory");
        let store = EmbeddedStore::open(EmbeddedConfig::new(dir.path()), TABLES, Arc::new(clock.clone()), &SystemEntropy);
        Self { store: Arc::new(store.expect("an embedded store")), name, shard: 0, clock: Some(clock), _dir: Some(dir) }
    }

    pub(crate) async fn cql(name: &'static str) -> Self {
        static STORE: OnceCell<CqlStore> = OnceCell::const_new();
        static NEXT_SHARD: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
        let connect = || async {
            let config = cql_config(Cassandra::shared().await, &Cassandra::fresh_keyspace());
            CqlStore::connect(&config, TABLES, &SystemEntropy).await.expect("a connection")
        };
        let store = STORE.get_or_init(connect).await.clone();
        let shard = NEXT_SHARD.fetch_add(64, std::sync::atomic::Ordering::Relaxed);
        Self { store: Arc::new(store), name, shard, clock: None, _dir: None }
    }

    /// Lets half a second pass in the store.
    pub(crate) async fn pass_time(&self) {
        let step = Duration::from_millis(500);
        match &self.clock {
            Some(clock) => clock.advance(step),
            None => tokio::time::sleep(step).await,
        }
    }
}
