//! A store, a bus, and an applier that keeps the last body of each key.

use std::{sync::Arc, time::Duration};

use banyan_bus::{Bus, Faults as BusFaults, FaultyBus, LocalBus};
use banyan_core::{Clock, LogId, SeededEntropy, ShardId, TimestampMicros};
use banyan_log::{Applier, DerivedRow, Entry, LogConfig, Logs, Node, OwnedLog, Proposal, tables};
use banyan_store::{
    Column, Compaction, Mode, Table, TableStore, Write, key,
    memory::{MemoryControl, MemoryStore},
};
use bytes::Bytes;

pub(crate) static LAST: Table = Table {
    name: "last",
    partition: &[Column::text("key")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

pub(crate) const LOG: LogId = LogId::rooms(ShardId(7));

/// Bodies are `key=value`; `bad` cannot be read, `huge` makes a row that no store takes.
pub(crate) struct Last;

impl Applier for Last {
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String> {
        let text = std::str::from_utf8(&entry.body).map_err(|error| error.to_string())?;
        let (name, value) = text.split_once('=').ok_or("no key")?;
        let value = if value == "huge" { Bytes::from(vec![0; 2 << 20]) } else { Bytes::copy_from_slice(value.as_bytes()) };
        Ok(vec![DerivedRow { table: &LAST, partition: key![name], write: Write::Put { clustering: key![], value, ttl: None } }])
    }
}

/// Tokio's clock, which tests pause.
#[derive(Debug)]
pub(crate) struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> TimestampMicros {
        TimestampMicros(1_700_000_000_000_000 + i64::try_from(self.0.elapsed().as_micros()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) control: MemoryControl,
    pub(crate) bus: Arc<FaultyBus>,
    pub(crate) logs: Logs,
    pub(crate) clock: Arc<TokioClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(LogConfig::default())
    }

    pub(crate) fn with(config: LogConfig) -> Self {
        let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
        let known: Vec<&'static Table> = tables::ALL.iter().copied().chain([&LAST]).collect();
        let store = MemoryStore::new(&known, clock.clone(), 1).unwrap();
        let bus = Arc::new(FaultyBus::new(Arc::new(LocalBus::new()), 1, BusFaults::default()));
        let entropy = Arc::new(SeededEntropy::new(1));
        let bus_handle: Arc<dyn Bus> = bus.clone();
        let logs = Logs::new(Arc::new(store.clone()), bus_handle, clock.clone(), entropy, config);
        Self { control: store.control(), store, bus, logs, clock }
    }

    pub(crate) async fn claim(&self, node: &str) -> OwnedLog {
        self.logs.claim(LOG, &self::node(node), Arc::new(Last)).await.unwrap()
    }

    pub(crate) async fn last(&self, name: &str) -> Option<String> {
        let row = self.store.get(&LAST, &key![name], &key![]).await.unwrap();
        row.map(|row| String::from_utf8(row.value.to_vec()).unwrap())
    }
}

pub(crate) fn node(id: &str) -> Node {
    Node { id: id.to_owned(), addr: format!("{id}:7000") }
}

pub(crate) fn proposal(body: &str) -> Proposal {
    Proposal { body: Bytes::copy_from_slice(body.as_bytes()), ..Proposal::default() }
}

pub(crate) fn body(entry: &Entry) -> &str {
    std::str::from_utf8(&entry.body).unwrap()
}
