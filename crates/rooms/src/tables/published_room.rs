//! `published_room((tenant, bucket) | room_id)`: the rooms that each tenant publishes, in 16 buckets by the room id's hash. What its
//! directory shows of them is in [`super::listed_room`].

use banyan_log::DerivedRow;
use banyan_proto::rooms::PublishedRow;
use banyan_store::{Column, Compaction, Mode, Store, Table, key};
use ruma::{RoomId, ServerName};

use super::{delete_row, get_row, put_row};
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
const BUCKETS: u8 = 16;

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
