//! What the simulated service derives: for each key the last command, and a row per command.

use std::collections::BTreeMap;

use banyan_store::{Column, Compaction, Mode, Table, TableStore, Write, key};
use bytes::Bytes;

use crate::{Applier, DerivedRow, Entry};

/// `sim_last(key) -> command`: overwritten and removed.
pub(super) static LAST: Table = Table {
    name: "sim_last",
    partition: &[Column::text("log"), Column::int("key")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// `sim_seen(key | command) -> seq`: one row per entry.
pub(super) static SEEN: Table = Table {
    name: "sim_seen",
    partition: &[Column::text("log"), Column::int("key")],
    clustering: &[Column::int("command"), Column::int("index")],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// What an entry of the simulation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    pub(super) command: i64,
    pub(super) index: i64,
    pub(super) count: i64,
    pub(super) key: i64,
    pub(super) removes: bool,
}

impl Fact {
    pub(super) fn encode(self) -> Bytes {
        format!("{} {} {} {} {}", self.command, self.index, self.count, self.key, i64::from(self.removes)).into()
    }

    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let numbers: Vec<i64> = text.split(' ').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [command, index, count, key, removes] = numbers[..] else { return None };
        Some(Self { command, index, count, key, removes: removes == 1 })
    }
}

pub(super) struct Model;

impl Applier for Model {
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String> {
        let fact = Fact::decode(&entry.body).ok_or("not a fact")?;
        let partition = key![entry.log.to_string(), fact.key];
        let last = if fact.removes {
            Write::Delete { clustering: key![] }
        } else {
            Write::Put { clustering: key![], value: entry.body.clone(), ttl: None }
        };
        let clustering = key![fact.command, fact.index];
        let seen = Write::Put { clustering, value: entry.seq.to_string().into(), ttl: None };
        Ok(vec![
            DerivedRow { table: &LAST, partition: partition.clone(), write: last },
            DerivedRow { table: &SEEN, partition, write: seen },
        ])
    }
}

/// Rows by table, partition and clustering key, as text.
pub(super) type Rows = BTreeMap<(&'static str, String, String), Bytes>;

/// The rows that a log's entries leave.
pub(super) fn replay<'a>(entries: impl Iterator<Item = &'a Entry>) -> Rows {
    let mut rows = Rows::new();
    for entry in entries {
        for row in Model.derive(entry).unwrap_or_default() {
            let partition = format!("{:?}", row.partition);
            match row.write {
                Write::Put { clustering, value, .. } => {
                    drop(rows.insert((row.table.name, partition, format!("{clustering:?}")), value));
                }
                Write::Delete { clustering } => drop(rows.remove(&(row.table.name, partition, format!("{clustering:?}")))),
            }
        }
    }
    rows
}

/// The rows that the store holds of a log's keys.
pub(super) async fn read(store: &dyn TableStore, log: &str, keys: i64) -> Rows {
    let mut rows = Rows::new();
    for key in 0..keys {
        for table in [&LAST, &SEEN] {
            let partition = key![log, key];
            let page = store.scan(table, &partition, banyan_store::Range::all(10_000)).await.expect("a store without faults");
            for row in page.rows {
                rows.insert((table.name, format!("{partition:?}"), format!("{:?}", row.clustering)), row.value);
            }
        }
    }
    rows
}
