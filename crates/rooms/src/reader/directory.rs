//! Directories: the rooms that a tenant publishes, in the order of their rank.

use std::collections::VecDeque;

use banyan_proto::rooms::RoomSummary;
use futures::{TryStreamExt as _, stream};
use ruma::{OwnedServerName, ServerName};

use super::RoomReader;
use crate::{
    ReadError,
    tables::listed_room::{self, BUCKETS, ListingPlace},
};

/// Rows that are first read of a bucket, and at most at a time. What is read of all buckets together is a little more than what is
/// shown, and whoever reads on (to search) does so in larger steps.
const FIRST_ROWS: usize = 8;
const MAX_ROWS: usize = 256;

/// A room in a directory.
type Listed = (ListingPlace, RoomSummary);

/// A walk through a directory: the buckets, merged.
#[derive(Debug)]
pub struct DirectoryWalk {
    reader: RoomReader,
    tenant: OwnedServerName,
    backward: bool,
    buckets: Vec<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    number: u8,
    rows: VecDeque<Listed>,
    /// The last row that was read.
    last: Option<ListingPlace>,
    /// How many to read next; 0: there are no more.
    next: usize,
}

impl RoomReader {
    /// Walks through a tenant's directory from its beginning or from just after `from`; backwards from the end or from just before it.
    #[must_use]
    pub fn directory(&self, tenant: &ServerName, from: Option<&ListingPlace>, backward: bool) -> DirectoryWalk {
        let bucket = |number| Bucket { number, rows: VecDeque::new(), last: from.cloned(), next: FIRST_ROWS };
        let buckets = (0..BUCKETS).map(bucket).collect();
        DirectoryWalk { reader: self.clone(), tenant: tenant.to_owned(), backward, buckets }
    }
}

impl DirectoryWalk {
    /// The next room.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<Listed>, ReadError> {
        self.fill().await?;
        let fronts = self.buckets.iter().enumerate().filter_map(|(index, bucket)| Some((&bucket.rows.front()?.0, index)));
        let nearest = if self.backward { fronts.max() } else { fronts.min() };
        let Some((_, index)) = nearest else { return Ok(None) };
        Ok(self.buckets[index].rows.pop_front())
    }

    /// Reads on in the buckets of which nothing is at hand.
    async fn fill(&mut self) -> Result<(), ReadError> {
        let (reader, tenant, backward) = (&self.reader, &self.tenant, self.backward);
        let empty = self.buckets.iter_mut().filter(|bucket| bucket.rows.is_empty() && bucket.next > 0);
        stream::iter(empty.map(Ok))
            .try_for_each_concurrent(usize::from(BUCKETS), |bucket| async move {
                let store = &*reader.inner.store;
                let (rows, more) =
                    listed_room::scan(store, (tenant, bucket.number), bucket.last.as_ref(), backward, bucket.next).await?;
                bucket.last = rows.last().map(|(place, _)| place.clone()).or_else(|| bucket.last.take());
                bucket.next = if more { (bucket.next * 2).min(MAX_ROWS) } else { 0 };
                bucket.rows = rows.into();
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use banyan_core::{SystemClock, TimestampMicros};
    use banyan_log::DerivedRow;
    use banyan_proto::rooms::ListingChange;
    use banyan_store::{TableStore as _, WriteBatch, memory::MemoryStore};
    use ruma::{OwnedRoomId, server_name};

    use super::*;
    use crate::tables::TABLES;

    /// 500 rooms of 0 to 49 members.
    async fn reader() -> (RoomReader, Vec<ListingPlace>) {
        let store = MemoryStore::new(TABLES, Arc::new(SystemClock::default()), 1).unwrap();
        let mut places = Vec::new();
        for n in 0..500_u64 {
            let (room_id, rank) = (format!("!{n}:x"), n % 50);
            let summary = RoomSummary { joined: rank, ..RoomSummary::default() };
            let change = ListingChange { tenant: "x".to_owned(), previous_rank: None, rank: Some(rank) };
            for DerivedRow { table, partition, write } in listed_room::change(&room_id, &change, Some(&summary)) {
                let batch = WriteBatch { table, partition, writes: vec![write], at: TimestampMicros(1) };
                store.write(batch).await.unwrap();
            }
            places.push(ListingPlace::new(rank, OwnedRoomId::try_from(room_id).unwrap()));
        }
        places.sort_unstable();
        (RoomReader::new(Arc::new(store), 1 << 20), places)
    }

    async fn walk(reader: &RoomReader, from: Option<&ListingPlace>, backward: bool) -> Vec<ListingPlace> {
        let mut walk = reader.directory(server_name!("x"), from, backward);
        let mut places = Vec::new();
        while let Some((place, summary)) = walk.next().await.unwrap() {
            assert_eq!(place.rank(), summary.joined);
            places.push(place);
        }
        places
    }

    #[tokio::test]
    async fn a_directory_is_walked_in_order_from_anywhere_both_ways() {
        let (reader, places) = reader().await;
        assert_eq!((places[0].rank(), places[499].rank()), (49, 0));
        assert_eq!(walk(&reader, None, false).await, places);
        assert_eq!(walk(&reader, Some(&places[122]), false).await, places[123..]);
        let mut before = walk(&reader, Some(&places[122]), true).await;
        before.reverse();
        assert_eq!(before, places[..122]);
        assert!(reader.directory(server_name!("y"), None, false).next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_page_reads_little_more_than_it_shows() {
        let (reader, _) = reader().await;
        let mut walk = reader.directory(server_name!("x"), None, false);
        for _ in 0..20 {
            walk.next().await.unwrap().unwrap();
        }
        let read: usize = walk.buckets.iter().map(|bucket| bucket.rows.len()).sum::<usize>() + 20;
        assert!(read < 250, "{read} rows");
    }
}
