//! `transaction((user_id, device_id) | scope, txn_id)`: which event a client's transaction id made, so that a retry makes no second.
//!
//! Rows live for two days and then go by themselves: clients retry within minutes, and the specification asks for no longer memory.

use std::time::Duration;

use banyan_log::DerivedRow;
use banyan_proto::rooms::{Transaction, TransactionRow};
use banyan_store::{Column, Compaction, Mode, Store, Table, Write, key};
use prost::Message;

use super::get_row;
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "transaction",
    partition: &[Column::text("user_id"), Column::text("device_id")],
    clustering: &[Column::text("scope"), Column::text("txn_id")],
    mode: Mode::Cache,
    compaction: Compaction::TimeWindow,
};

/// How long a transaction id is remembered.
pub const LIFETIME: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The row of a transaction.
#[must_use]
pub fn put(transaction: &Transaction, room_id: &str, event_id: &str) -> DerivedRow {
    let row = TransactionRow { event_id: event_id.to_owned(), room_id: room_id.to_owned() };
    DerivedRow {
        table: &TABLE,
        partition: key![transaction.user_id.as_str(), transaction.device_id.as_str()],
        write: Write::Put {
            clustering: key![transaction.scope.as_str(), transaction.txn_id.as_str()],
            value: row.encode_to_vec().into(),
            ttl: Some(LIFETIME),
        },
    }
}

/// Reads what a transaction made.
///
/// # Errors
/// The store's.
pub async fn get(store: &dyn Store, transaction: &Transaction) -> Result<Option<TransactionRow>, ReadError> {
    let partition = key![transaction.user_id.as_str(), transaction.device_id.as_str()];
    get_row(store, &TABLE, partition, key![transaction.scope.as_str(), transaction.txn_id.as_str()]).await
}
