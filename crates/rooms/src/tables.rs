//! The tables of rooms, one file each: its definition, the rows an entry turns into, and how to read it. All are derived from the
//! room shards' logs; the roomserver alone writes them, every role may read them.

pub mod alias_by_room;
pub mod annotation;
pub mod current_state;
pub mod device_list;
pub mod event;
pub mod event_time;
pub mod gap;
pub mod import;
pub mod intent;
pub mod listed_room;
pub mod membership_by_user;
pub mod published_room;
pub mod receipt;
pub mod recent_receipt;
pub mod related;
pub mod relation;
pub mod room_alias;
pub mod room_head;
pub mod staged_event;
pub mod thread_reply;
pub mod timeline;
pub mod transaction;
pub mod unread_event;
pub mod unread_total;

use banyan_log::DerivedRow;
use banyan_store::{Key, Range, Row, Store, Table, Write};
use prost::Message;

use crate::ReadError;

/// Every table of rooms.
pub static TABLES: &[&Table] = &[
    &alias_by_room::TABLE,
    &annotation::TABLE,
    &current_state::TABLE,
    &device_list::TABLE,
    &event::TABLE,
    &event_time::DAYS,
    &event_time::TABLE,
    &gap::TABLE,
    &import::TABLE,
    &intent::TABLE,
    &listed_room::TABLE,
    &membership_by_user::TABLE,
    &published_room::TABLE,
    &receipt::TABLE,
    &recent_receipt::TABLE,
    &related::TABLE,
    &relation::TABLE,
    &room_alias::TABLE,
    &room_head::TABLE,
    &staged_event::TABLE,
    &thread_reply::TABLE,
    &timeline::TABLE,
    &transaction::TABLE,
    &unread_event::TABLE,
    &unread_total::TABLE,
    &crate::state::store::STATE_NODE,
];

/// Rows read per round trip when a whole partition is wanted.
const SCAN_ROWS: usize = 2_000;

fn put_row(table: &'static Table, partition: Key, clustering: Key, row: &impl Message) -> DerivedRow {
    DerivedRow { table, partition, write: Write::Put { clustering, value: row.encode_to_vec().into(), ttl: None } }
}

fn delete_row(table: &'static Table, partition: Key, clustering: Key) -> DerivedRow {
    DerivedRow { table, partition, write: Write::Delete { clustering } }
}

fn decode<T: Message + Default>(table: &Table, row: &Row) -> Result<T, ReadError> {
    T::decode(row.value.clone()).map_err(|error| ReadError::corrupt(table.name, error))
}

async fn get_row<T: Message + Default>(
    store: &dyn Store,
    table: &'static Table,
    partition: Key,
    clustering: Key,
) -> Result<Option<T>, ReadError> {
    store.get(table, &partition, &clustering).await?.map(|row| decode(table, &row)).transpose()
}

/// Reads a range to its end, page by page, at most `most` rows.
async fn scan_all(
    store: &dyn Store,
    table: &'static Table,
    partition: &Key,
    mut range: Range,
    most: usize,
) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    loop {
        range.limit = SCAN_ROWS.min(most - rows.len());
        let page = store.scan(table, partition, range.clone()).await?;
        let Some(last) = page.rows.last().map(|row| row.clustering.clone()) else { return Ok(rows) };
        rows.extend(page.rows);
        if !page.more || rows.len() >= most {
            return Ok(rows);
        }
        range = range.after(last);
    }
}

fn text_at(table: &Table, key: &Key, index: usize) -> Result<String, ReadError> {
    let part = key.get(index).and_then(|part| part.as_text());
    part.map(ToOwned::to_owned).ok_or_else(|| ReadError::corrupt(table.name, "a key part is no text"))
}

fn int_at(table: &Table, key: &Key, index: usize) -> Result<i64, ReadError> {
    let part = key.get(index).and_then(|part| part.as_int());
    part.ok_or_else(|| ReadError::corrupt(table.name, "a key part is no number"))
}
