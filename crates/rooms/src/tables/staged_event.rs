//! `staged_event(room_id | seq)`: events from other servers that were acknowledged and not yet dealt with, in order of arrival.

use banyan_core::LogSeq;
use banyan_log::DerivedRow;
use banyan_proto::rooms::StagedRow;
use banyan_store::{Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::RoomId;

use super::{decode, delete_row, int_at, put_row};
use crate::ReadError;

/// The table. An owner lets no more than 20,000 events of a room wait.
pub static TABLE: Table = Table {
    name: "staged_event",
    partition: &[Column::text("room_id")],
    clustering: &[Column::int("seq")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

fn int(seq: LogSeq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// The row of an event that entry `seq` staged.
#[must_use]
pub fn put(room_id: &str, seq: LogSeq, row: &StagedRow) -> DerivedRow {
    put_row(&TABLE, key![room_id], key![int(seq)], row)
}

/// Removes the event that entry `seq` staged.
#[must_use]
pub fn delete(room_id: &str, seq: LogSeq) -> DerivedRow {
    delete_row(&TABLE, key![room_id], key![int(seq)])
}

/// Reads staged events in order, at most `limit`.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId, limit: usize) -> Result<Vec<(LogSeq, StagedRow)>, ReadError> {
    let page = store.scan(&TABLE, &key![room_id.as_str()], Range::all(limit.clamp(1, 10_000))).await?;
    let read = |row: &Row| {
        let seq = u64::try_from(int_at(&TABLE, &row.clustering, 0)?).map_err(|error| ReadError::corrupt(TABLE.name, error))?;
        Ok((LogSeq(seq), decode(&TABLE, row)?))
    };
    page.rows.iter().map(read).collect()
}
