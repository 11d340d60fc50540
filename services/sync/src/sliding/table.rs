//! `sliding_connection((user_id, device_id) | conn_id, slot)`: what connections were sent. Each has two rows, of its last two positions:
//! a response is written over the row before the one that its request named, so that a request may be repeated until it is answered.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, TimestampMicros};
use banyan_proto::sync::SlidingConnectionRow;
use banyan_rooms::ReadError;
use banyan_store::{Column, Compaction, Key, Mode, Range, Row, Store, StoreError, Table, Write, WriteBatch, key};
use prost::Message;
use ruma::{DeviceId, UserId};

use super::{connection::Connection, position::Base};
use crate::error::SyncError;

static SLIDING_CONNECTION: Table = Table {
    name: "sliding_connection",
    partition: &[Column::text("user_id"), Column::text("device_id")],
    clustering: &[Column::text("conn_id"), Column::int("slot")],
    mode: Mode::Cache,
    compaction: Compaction::Leveled,
};

/// Every table of the role, for the schema.
pub static TABLES: &[&Table] = &[&SLIDING_CONNECTION];

/// How long a position is kept after it was given.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Age from which a row is written again although nothing changed.
const REFRESH: Duration = Duration::from_secs(24 * 3600);
/// Connections of a device. The one that was used least lately makes room for another.
const CONNECTIONS: usize = 16;

/// Reads and writes connections.
#[derive(Clone)]
pub(super) struct Connections {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connections")
    }
}

/// Whose connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) user: &'a UserId,
    pub(super) device: &'a DeviceId,
    pub(super) conn: &'a str,
}

/// A connection as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) connection: Connection,
    /// The row it comes from; `None`: a new one.
    pub(super) base: Option<Base>,
    /// The newest of its rows.
    newest: TimestampMicros,
}

impl Owner<'_> {
    fn partition(self) -> Key {
        key![self.user.as_str(), self.device.as_str()]
    }

    fn row(self, slot: u8) -> Key {
        key![self.conn, i64::from(slot)]
    }
}

impl Connections {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The connection at a position.
    ///
    /// # Errors
    /// [`SyncError::Position`] if it was not kept.
    pub(super) async fn load(&self, owner: Owner<'_>, base: Base) -> Result<Found, SyncError> {
        let keys = [0, 1].map(|slot| (owner.partition(), owner.row(slot)));
        let rows = self.store.multi_get(&SLIDING_CONNECTION, &keys).await.map_err(failed)?;
        let newest = newest(rows.iter().flatten());
        let row = rows.into_iter().nth(usize::from(base.slot)).flatten().filter(|row| row.written == written(base.at));
        let Some(row) = row else { return Err(SyncError::Position) };
        let row = SlidingConnectionRow::decode(row.value)
            .map_err(|error| ReadError::Corrupt { table: SLIDING_CONNECTION.name, problem: error.to_string() })?;
        let mut connection = Connection::of_row(row);
        if base.at.0.saturating_add(micros(REFRESH)) < self.clock.now().0 {
            connection.touch();
        }
        Ok(Found { connection, base: Some(base), newest })
    }

    /// A new connection in place of whatever had its name.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn begin(&self, owner: Owner<'_>) -> Result<Found, SyncError> {
        let mut range = Range::all(CONNECTIONS * 2 + 2);
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let page = self.store.scan(&SLIDING_CONNECTION, &owner.partition(), range.clone()).await.map_err(failed)?;
            rows.extend(page.rows);
            match rows.last() {
                Some(last) if page.more => range = range.after(last.clustering.clone()),
                _ => break,
            }
        }
        let conn = |row: &Row| row.clustering.first().and_then(|part| part.as_text()).unwrap_or_default().to_owned();
        let newest = newest(rows.iter().filter(|row| conn(row) == owner.conn));
        let mut others: Vec<(TimestampMicros, String)> = Vec::new();
        for row in rows.iter().filter(|row| conn(row) != owner.conn) {
            match others.iter_mut().find(|(_, name)| *name == conn(row)) {
                Some((at, _)) => *at = row.written.max(*at),
                None => others.push((row.written, conn(row))),
            }
        }
        others.sort();
        let surplus = (others.len() + 1).saturating_sub(CONNECTIONS);
        for (at, name) in others.into_iter().take(surplus) {
            self.forget(Owner { conn: &name, ..owner }, at).await?;
        }
        Ok(Found { connection: Connection::new(), base: None, newest })
    }

    async fn forget(&self, owner: Owner<'_>, at: TimestampMicros) -> Result<(), SyncError> {
        let writes = [0, 1].map(|slot| Write::Delete { clustering: owner.row(slot) }).to_vec();
        self.write(owner, writes, TimestampMicros(at.0.max(self.clock.now().0))).await
    }

    /// Keeps a connection as it is after a response.
    ///
    /// # Errors
    /// The store's, and if there is more of it than may be kept.
    pub(super) async fn save(&self, owner: Owner<'_>, found: &mut Found) -> Result<Base, SyncError> {
        let slot = found.base.map_or(0, |base| 1 - base.slot);
        // Later than all of them, whatever this process's clock says: the last write must win, and its time is the position's name.
        let at = TimestampMicros(self.clock.now().0.max(found.newest.0 + 1));
        let value = found.connection.to_bytes()?;
        let put = Write::Put { clustering: owner.row(slot), value, ttl: Some(LIFE) };
        self.write(owner, vec![put], at).await?;
        Ok(Base { slot, at })
    }

    async fn write(&self, owner: Owner<'_>, writes: Vec<Write>, at: TimestampMicros) -> Result<(), SyncError> {
        let batch = WriteBatch { table: &SLIDING_CONNECTION, partition: owner.partition(), writes, at };
        self.store.write(batch).await.map_err(failed)
    }
}

/// The time that a row written at `at` carries.
const fn written(at: TimestampMicros) -> TimestampMicros {
    TimestampMicros(at.0 + 1)
}

fn newest<'a>(rows: impl Iterator<Item = &'a Row>) -> TimestampMicros {
    rows.map(|row| row.written).max().unwrap_or_default()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn failed(error: StoreError) -> SyncError {
    ReadError::from(error).into()
}
