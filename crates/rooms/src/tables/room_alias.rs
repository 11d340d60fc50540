//! `room_alias(alias)`: which room an alias means. Derived from the log of the alias's own shard, which makes it unique.

use banyan_log::DerivedRow;
use banyan_proto::rooms::AliasRow;
use banyan_store::{Column, Compaction, Key, Mode, Store, Table, key};
use ruma::RoomAliasId;

use super::{delete_row, get_row, put_row};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "room_alias",
    partition: &[Column::text("alias")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The row of an alias.
#[must_use]
pub fn put(alias: &str, row: &AliasRow) -> DerivedRow {
    put_row(&TABLE, key![alias], Key::new(), row)
}

/// Removes an alias.
#[must_use]
pub fn delete(alias: &str) -> DerivedRow {
    delete_row(&TABLE, key![alias], Key::new())
}

/// Reads what an alias means.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, alias: &RoomAliasId) -> Result<Option<AliasRow>, ReadError> {
    get_row(store, &TABLE, key![alias.as_str()], Key::new()).await
}
