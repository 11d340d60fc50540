//! `published_room((tenant, bucket) | room_id)`: the rooms in each tenant's directory, in 16 buckets by the room id's hash.

use banyan_log::DerivedRow;
use banyan_proto::rooms::PublishedRow;
use banyan_store::{Column, Compaction, Mode, Range, Row, Store, Table, key};
use ruma::{OwnedRoomId, RoomId, ServerName};

use super::{decode, delete_row, get_row, put_row, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "published_room",
    partition: &[Column::text("tenant"), Column::int("bucket")],
    clustering: &[Column::text("room_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Buckets per tenant.
pub const BUCKETS: u8 = 16;

fn bucket(room_id: &str) -> i64 {
    i64::from(blake3::hash(room_id.as_bytes()).as_bytes()[0] % BUCKETS)
}

/// The row of a published room, or its removal.
#[must_use]
pub fn change(tenant: &str, room_id: &str, row: Option<&PublishedRow>) -> DerivedRow {
    let (partition, clustering) = (key![tenant, bucket(room_id)], key![room_id]);
    match row {
        Some(row) => put_row(&TABLE, partition, clustering, row),
        None => delete_row(&TABLE, partition, clustering),
    }
}

/// Whether a room is in a tenant's directory.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, tenant: &ServerName, room_id: &RoomId) -> Result<Option<PublishedRow>, ReadError> {
    get_row(store, &TABLE, key![tenant.as_str(), bucket(room_id.as_str())], key![room_id.as_str()]).await
}

/// Reads rooms of one bucket that come after `after`, at most `limit`.
///
/// # Errors
/// The store's.
pub async fn scan(
    store: &dyn Store,
    tenant: &ServerName,
    bucket: u8,
    after: Option<&RoomId>,
    limit: usize,
) -> Result<Vec<(OwnedRoomId, PublishedRow)>, ReadError> {
    let mut range = Range::all(limit.clamp(1, 10_000));
    if let Some(after) = after {
        range = range.after(key![after.as_str()]);
    }
    let page = store.scan(&TABLE, &key![tenant.as_str(), i64::from(bucket)], range).await?;
    let read = |row: &Row| {
        let room_id = text_at(&TABLE, &row.clustering, 0)?;
        let room_id = OwnedRoomId::try_from(room_id).map_err(|error| ReadError::corrupt(TABLE.name, error))?;
        Ok((room_id, decode(&TABLE, row)?))
    };
    page.rows.iter().map(read).collect()
}
