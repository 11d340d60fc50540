//! `current_state((room_id, bucket) | type, state_key)`: the latest state with bodies, for bulk reads.
//!
//! A room starts with one bucket and doubles them as it grows, to 64. A key lives in bucket `hash % count` of the count that held when
//! it was last written: raising the count moves nothing. A write removes the key from the buckets of all smaller counts, a read by key
//! asks all of them (at most seven) and a bulk read takes the newest row of a key, so no reader sees a key twice.

use std::collections::HashMap;

use banyan_log::DerivedRow;
use banyan_proto::rooms::CurrentStateRow;
use banyan_store::{Column, Compaction, Mode, Range, Row, Store, Table, key};
use futures::{StreamExt, TryStreamExt, stream};
use ruma::RoomId;

use super::{decode, delete_row, put_row, scan_all, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "current_state",
    partition: &[Column::text("room_id"), Column::int("bucket")],
    clustering: &[Column::text("type"), Column::text("state_key")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// The most buckets a room has.
pub const MAX_BUCKETS: u32 = 64;

/// Keys per bucket above which the count is doubled.
pub const KEYS_PER_BUCKET: u64 = 10_000;

/// Rows of one bucket that are read at most: a guard against a runaway partition, far above what a bucket may hold.
const MAX_ROWS: usize = 200_000;

/// The bucket count of a room with `keys` state entries: a power of two, at least `current`.
#[must_use]
pub fn buckets_for(keys: u64, current: u32) -> u32 {
    let wanted = u32::try_from(keys / KEYS_PER_BUCKET + 1).unwrap_or(MAX_BUCKETS).next_power_of_two();
    wanted.min(MAX_BUCKETS).max(current.max(1))
}

fn hash(event_type: &str, state_key: &str) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(event_type.as_bytes()).update(&[0]).update(state_key.as_bytes());
    let hash = hasher.finalize();
    let bytes = hash.as_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The buckets a key may be in, the one it is written to first.
fn candidates(event_type: &str, state_key: &str, buckets: u32) -> Vec<i64> {
    let hash = hash(event_type, state_key);
    let mut found = Vec::new();
    let mut count = buckets.clamp(1, MAX_BUCKETS);
    while count > 0 {
        let bucket = i64::from(hash % count);
        if !found.contains(&bucket) {
            found.push(bucket);
        }
        count /= 2;
    }
    found
}

/// The rows of a key that was set (`Some`) or removed, in a room of `buckets` buckets.
#[must_use]
pub fn change(
    room_id: &str,
    buckets: u32,
    (event_type, state_key): (&str, &str),
    row: Option<&CurrentStateRow>,
) -> Vec<DerivedRow> {
    let mut rows = Vec::new();
    for (index, bucket) in candidates(event_type, state_key, buckets).into_iter().enumerate() {
        let (partition, clustering) = (key![room_id, bucket], key![event_type, state_key]);
        rows.push(match row {
            Some(row) if index == 0 => put_row(&TABLE, partition, clustering, row),
            _ => delete_row(&TABLE, partition, clustering),
        });
    }
    rows
}

/// Reads keys, in the order asked, from a room of `buckets` buckets.
///
/// # Errors
/// The store's.
pub async fn multi_get(
    store: &dyn Store,
    room_id: &RoomId,
    buckets: u32,
    wanted: &[(&str, &str)],
) -> Result<Vec<Option<CurrentStateRow>>, ReadError> {
    let wanted: Vec<_> =
        wanted.iter().map(|(event_type, state_key)| (room_id.as_str(), buckets, *event_type, *state_key)).collect();
    multi_get_of_rooms(store, &wanted).await
}

/// A key of a room with so many buckets: room, buckets, type, state key.
type RoomKey<'a> = (&'a str, u32, &'a str, &'a str);

/// Reads keys of several rooms, in the order asked. At most 1,000.
///
/// # Errors
/// The store's.
pub async fn multi_get_of_rooms(store: &dyn Store, wanted: &[RoomKey<'_>]) -> Result<Vec<Option<CurrentStateRow>>, ReadError> {
    let mut found: Vec<Option<CurrentStateRow>> = vec![None; wanted.len()];
    get_missing(store, wanted, 1, &mut found).await?;
    // In a room that grows keys may just have moved on, to where a higher count puts them.
    get_missing(store, wanted, 2, &mut found).await?;
    Ok(found)
}

/// Reads those of `wanted` that are not `found` yet, in `times` the buckets; `times` above 1 is for rooms with several.
async fn get_missing(
    store: &dyn Store,
    wanted: &[RoomKey<'_>],
    times: u32,
    found: &mut [Option<CurrentStateRow>],
) -> Result<(), ReadError> {
    let mut keys = Vec::new();
    let mut owners = Vec::new();
    let missing =
        wanted.iter().enumerate().filter(|(index, (_, buckets, ..))| found[*index].is_none() && (times == 1 || *buckets >= times));
    for (index, (room_id, buckets, event_type, state_key)) in missing {
        for bucket in candidates(event_type, state_key, buckets * times) {
            keys.push((key![*room_id, bucket], key![*event_type, *state_key]));
            owners.push(index);
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    for (row, index) in store.multi_get(&TABLE, &keys).await?.iter().zip(owners) {
        let Some(row) = row else { continue };
        let row: CurrentStateRow = decode(&TABLE, row)?;
        if found[index].as_ref().is_none_or(|other| other.seq < row.seq) {
            found[index] = Some(row);
        }
    }
    Ok(())
}

/// A key and its row.
pub type Entry = ((String, String), CurrentStateRow);

/// Reads the whole state of a room of `buckets` buckets, or all entries of one type; in no order.
///
/// # Errors
/// The store's.
pub async fn scan(store: &dyn Store, room_id: &RoomId, buckets: u32, event_type: Option<&str>) -> Result<Vec<Entry>, ReadError> {
    scan_some(store, room_id, buckets, event_type, MAX_ROWS).await
}

/// The same, but of each bucket at most `most` rows.
///
/// # Errors
/// The store's.
pub async fn scan_some(
    store: &dyn Store,
    room_id: &RoomId,
    buckets: u32,
    event_type: Option<&str>,
    most: usize,
) -> Result<Vec<Entry>, ReadError> {
    let mut rows = scan_buckets(store, room_id, buckets, event_type, most).await?;
    // A room that is about to grow may have done so meanwhile: then some keys have moved on.
    let full = u64::from(buckets) * KEYS_PER_BUCKET * 9 / 10;
    if buckets < MAX_BUCKETS && rows.len() as u64 >= full {
        rows.extend(scan_buckets(store, room_id, buckets * 2, event_type, most).await?);
    }
    let mut newest: HashMap<(String, String), CurrentStateRow> = HashMap::new();
    for row in &rows {
        let key = (text_at(&TABLE, &row.clustering, 0)?, text_at(&TABLE, &row.clustering, 1)?);
        let row: CurrentStateRow = decode(&TABLE, row)?;
        if newest.get(&key).is_none_or(|other| other.seq < row.seq) {
            newest.insert(key, row);
        }
    }
    Ok(newest.into_iter().collect())
}

async fn scan_buckets(
    store: &dyn Store,
    room_id: &RoomId,
    buckets: u32,
    event_type: Option<&str>,
    most: usize,
) -> Result<Vec<Row>, ReadError> {
    let range = event_type.map_or_else(|| Range::all(1), |event_type| Range::prefix(key![event_type], 1));
    let parts: Vec<Vec<Row>> = stream::iter(0..i64::from(buckets.clamp(1, MAX_BUCKETS)))
        .map(|bucket| {
            let (partition, range) = (key![room_id.as_str(), bucket], range.clone());
            async move { scan_all(store, &TABLE, &partition, range, most).await }
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    Ok(parts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use banyan_store::{TableStore as _, WriteBatch};

    use super::*;

    #[test]
    fn a_room_gets_more_buckets_as_it_grows_and_never_fewer() {
        assert_eq!(buckets_for(3, 0), 1);
        assert_eq!(buckets_for(10_001, 1), 2);
        assert_eq!(buckets_for(45_000, 2), 8);
        assert_eq!(buckets_for(5, 8), 8);
        assert_eq!(buckets_for(10_000_000, 1), 64);
    }

    #[tokio::test]
    async fn a_reader_with_an_old_count_finds_what_has_moved_on() {
        let clock = std::sync::Arc::new(banyan_core::SystemClock::default());
        let store = banyan_store::memory::MemoryStore::new(&[&TABLE], clock, 1).unwrap();
        let room_id = RoomId::parse("!r:x").unwrap();
        let row = |seq| CurrentStateRow { seq, ..CurrentStateRow::default() };
        let names: Vec<String> = (0..20).map(|n| format!("@u{n}:x")).collect();
        for (seq, (name, buckets)) in names.iter().zip([2_u32, 4].into_iter().cycle()).enumerate() {
            for DerivedRow { table, partition, write } in change("!r:x", buckets, ("m.room.member", name), Some(&row(seq as u64))) {
                let at = banyan_core::TimestampMicros(1);
                store.write(WriteBatch { table, partition, writes: vec![write], at }).await.unwrap();
            }
        }
        let wanted: Vec<(&str, &str)> = names.iter().map(|name| ("m.room.member", name.as_str())).collect();
        let found = multi_get(&store, &room_id, 2, &wanted).await.unwrap();
        for (seq, found) in found.into_iter().enumerate() {
            assert_eq!(found.unwrap().seq, seq as u64);
        }
    }

    #[test]
    fn a_write_clears_the_buckets_of_smaller_counts() {
        let row = CurrentStateRow::default();
        for n in 0..50 {
            let key = format!("@u{n}:x");
            let before = candidates("m.room.member", &key, 4)[0];
            let rows = change("!r", 16, ("m.room.member", &key), Some(&row));
            let touched: Vec<_> = rows.iter().filter_map(|row| row.partition[1].as_int()).collect();
            assert!(touched.contains(&before));
            assert!(matches!(rows[0].write, banyan_store::Write::Put { .. }));
            assert!(rows[1..].iter().all(|row| matches!(row.write, banyan_store::Write::Delete { .. })));
        }
    }
}
