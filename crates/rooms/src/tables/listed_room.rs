//! `listed_room((tenant, bucket) | position, room_id)`: what each tenant's directory shows, rooms with the most members first, in 16
//! buckets by the room id's hash. A row holds all that is shown, so a page is read from here alone.
//!
//! A row stands at its room's rank ([`rank`]), which follows the number of members closely in small rooms and loosely in large ones: a
//! row that moved at every join would leave its old places behind as tombstones, in front of everybody who reads the directory.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{ListingChange, RoomSummary};
use banyan_store::{Column, Compaction, Key, Mode, Range, Row, Store, Table, key};
use ruma::{OwnedRoomId, ServerName};

use super::{decode, delete_row, int_at, put_row, text_at};
use crate::ReadError;

/// The table.
pub static TABLE: Table = Table {
    name: "listed_room",
    partition: &[Column::text("tenant"), Column::int("bucket")],
    clustering: &[Column::int("position"), Column::text("room_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// Buckets per tenant.
pub const BUCKETS: u8 = 16;

/// The rank of a room with so many members that had `previous`: the number of members, unless the previous rank is not farther from it
/// than a sixteenth.
#[must_use]
pub fn rank(previous: Option<u64>, joined: u64) -> u64 {
    previous.filter(|previous| previous.abs_diff(joined) <= previous / 16).unwrap_or(joined)
}

/// Where a row stands: high ranks first, and rooms of one rank by their ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListingPlace {
    /// The negative rank.
    position: i64,
    room_id: OwnedRoomId,
}

impl ListingPlace {
    /// The place of a room at a rank.
    #[must_use]
    pub fn new(rank: u64, room_id: OwnedRoomId) -> Self {
        Self { position: position(rank), room_id }
    }

    /// The rank.
    #[must_use]
    pub const fn rank(&self) -> u64 {
        self.position.unsigned_abs()
    }

    /// The room.
    #[must_use]
    pub const fn room_id(&self) -> &OwnedRoomId {
        &self.room_id
    }

    fn key(&self) -> Key {
        key![self.position, self.room_id.as_str()]
    }
}

fn position(rank: u64) -> i64 {
    i64::try_from(rank).map_or(i64::MIN, |rank| -rank)
}

fn bucket(room_id: &str) -> i64 {
    i64::from(blake3::hash(room_id.as_bytes()).as_bytes()[0] % BUCKETS)
}

/// The rows of a change: one goes, one comes that holds what is listed now.
#[must_use]
pub fn change(room_id: &str, change: &ListingChange, listed: Option<&RoomSummary>) -> Vec<DerivedRow> {
    let partition = key![change.tenant.as_str(), bucket(room_id)];
    let at = |rank| key![position(rank), room_id];
    let gone = change.previous_rank.filter(|previous| change.rank != Some(*previous));
    let gone = gone.map(|rank| delete_row(&TABLE, partition.clone(), at(rank)));
    let there = change.rank.zip(listed);
    let there = there.map(|(rank, summary)| put_row(&TABLE, partition.clone(), at(rank), summary));
    gone.into_iter().chain(there).collect()
}

/// Reads rows of one bucket that come after `after`, or backwards before it, at most `limit`; and whether there may be more.
///
/// # Errors
/// The store's.
pub async fn scan(
    store: &dyn Store,
    (tenant, bucket): (&ServerName, u8),
    after: Option<&ListingPlace>,
    backward: bool,
    limit: usize,
) -> Result<(Vec<(ListingPlace, RoomSummary)>, bool), ReadError> {
    let mut range = Range::all(limit.clamp(1, 1_000));
    if backward {
        range = range.reversed();
    }
    if let Some(after) = after {
        range = range.after(after.key());
    }
    let page = store.scan(&TABLE, &key![tenant.as_str(), i64::from(bucket)], range).await?;
    let read = |row: &Row| {
        let room_id = text_at(&TABLE, &row.clustering, 1)?;
        let room_id = OwnedRoomId::try_from(room_id).map_err(|error| ReadError::corrupt(TABLE.name, error))?;
        Ok((ListingPlace { position: int_at(&TABLE, &row.clustering, 0)?, room_id }, decode(&TABLE, row)?))
    };
    let rows = page.rows.iter().map(read).collect::<Result<_, ReadError>>()?;
    Ok((rows, page.more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_room_stands_where_its_members_say_and_a_large_one_near_it() {
        assert_eq!((rank(None, 7), rank(Some(7), 8), rank(Some(15), 14)), (7, 8, 14));
        assert_eq!((rank(Some(160), 170), rank(Some(160), 150), rank(Some(160), 171)), (160, 160, 171));
        assert_eq!((rank(Some(0), 0), rank(Some(3), 0)), (0, 0));
    }

    #[test]
    fn a_row_that_moves_leaves_nothing_behind() {
        let puts = |previous_rank, rank| {
            let change_of = ListingChange { tenant: "x".to_owned(), previous_rank, rank };
            let rows = change("!r:x", &change_of, Some(&RoomSummary::default()));
            rows.iter().map(|row| matches!(row.write, banyan_store::Write::Put { .. })).collect::<Vec<_>>()
        };
        assert_eq!(puts(None, Some(3)), [true]);
        assert_eq!(puts(Some(3), Some(3)), [true]);
        assert_eq!(puts(Some(3), Some(4)), [false, true]);
        assert_eq!(puts(Some(4), None), [false]);
        assert!(puts(None, None).is_empty());
    }
}
