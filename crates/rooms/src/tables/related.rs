//! `related((room_id, bucket) | event_id)`: the events that others relate to, in the buckets of the timeline: one small read tells which
//! events of a page have relations, and for all others none is looked up.
//!
//! Marks stay when what related to an event was redacted: they say where to look, not what is there.

use std::collections::{BTreeMap, HashSet};

use banyan_log::DerivedRow;
use banyan_proto::rooms::RelatedRow;
use banyan_store::{Column, Compaction, Mode, Range, Store, Table, key};
use ruma::{EventId, OwnedEventId, RoomId};

use super::{put_row, scan_all, text_at, timeline};
use crate::{ReadError, RoomPlace};

/// The table.
pub static TABLE: Table = Table {
    name: "related",
    partition: &[Column::text("room_id"), Column::int("bucket")],
    clustering: &[Column::text("event_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Buckets up to which whole ones are read; of more, single rows.
const WHOLE_BUCKETS: usize = 4;
/// Rows of a bucket that are read at most: as many events as it can have.
const MAX_ROWS: usize = 64_000;

/// The mark of an event at `place`.
#[must_use]
pub fn put(room_id: &str, place: RoomPlace, event_id: &str) -> DerivedRow {
    put_row(&TABLE, key![room_id, timeline::bucket(place.arrival)], key![event_id], &RelatedRow { known: true })
}

/// Which of these events others relate to. At most 10,000.
///
/// # Errors
/// The store's.
pub async fn among(
    store: &dyn Store,
    room_id: &RoomId,
    events: &[(RoomPlace, &EventId)],
) -> Result<HashSet<OwnedEventId>, ReadError> {
    let mut buckets: BTreeMap<i64, Vec<&EventId>> = BTreeMap::new();
    for (place, event_id) in events {
        buckets.entry(timeline::bucket(place.arrival)).or_default().push(event_id);
    }
    let mut related = HashSet::new();
    if buckets.len() > WHOLE_BUCKETS {
        let keys = |(bucket, ids): (&i64, &Vec<&EventId>)| {
            let bucket = *bucket;
            ids.iter().map(move |id| (key![room_id.as_str(), bucket], key![id.as_str()])).collect::<Vec<_>>()
        };
        let keys: Vec<_> = buckets.iter().flat_map(keys).collect();
        let rows = store.multi_get(&TABLE, &keys).await?;
        let ids = buckets.values().flatten();
        related.extend(ids.zip(rows).filter(|(_, row)| row.is_some()).map(|(id, _)| (*id).to_owned()));
        return Ok(related);
    }
    for (bucket, ids) in buckets {
        let rows = scan_all(store, &TABLE, &key![room_id.as_str(), bucket], Range::all(1), MAX_ROWS).await?;
        let marked = rows.iter().map(|row| text_at(&TABLE, &row.clustering, 0)).collect::<Result<HashSet<String>, _>>()?;
        related.extend(ids.into_iter().filter(|id| marked.contains(id.as_str())).map(ToOwned::to_owned));
    }
    Ok(related)
}
