//! Events that relate to others.

use std::collections::HashSet;

use banyan_proto::rooms::{RelationRow, ThreadReplyRow};
use ruma::{EventId, OwnedEventId, RoomId, UserId};

use super::{Direction, RoomReader, StoredEvent};
use crate::{
    ReadError, RoomPlace,
    tables::{annotation, event, related, relation, thread_reply},
};

/// Which of the events that relate to another to read. Places as bounds stand for the point just after them.
#[derive(Clone, Copy, Debug)]
pub struct RelationsQuery<'a> {
    /// Those of this type; `None`: all.
    pub rel_type: Option<&'a str>,
    /// Where to begin.
    pub from: RoomPlace,
    /// Where to stop.
    pub to: Option<RoomPlace>,
    /// Which way.
    pub direction: Direction,
    /// At most so many (1 to 10,000).
    pub limit: usize,
}

impl RelationsQuery<'_> {
    /// The newest of a type, or of all.
    #[must_use]
    pub const fn newest(rel_type: Option<&str>, limit: usize) -> RelationsQuery<'_> {
        RelationsQuery { rel_type, from: RoomPlace::END, to: None, direction: Direction::Backward, limit }
    }
}

impl RoomReader {
    /// The events that relate to `target`, in the order of the query's direction; and whether there are more behind the last.
    ///
    /// # Errors
    /// The store's.
    pub async fn relations(
        &self,
        room_id: &RoomId,
        target: &EventId,
        query: RelationsQuery<'_>,
    ) -> Result<(Vec<(RoomPlace, RelationRow)>, bool), ReadError> {
        let bounds = match query.direction {
            Direction::Backward => (query.to.unwrap_or(RoomPlace::START), query.from),
            Direction::Forward => (query.from, query.to.unwrap_or(RoomPlace::END)),
        };
        let rel_type = query.rel_type.unwrap_or(relation::ANY);
        let reverse = query.direction == Direction::Backward;
        relation::scan(&*self.inner.store, (room_id, target), rel_type, bounds, reverse, query.limit).await
    }

    /// Which of these events others relate to, or related to once. At most 10,000.
    ///
    /// # Errors
    /// The store's.
    pub async fn related<'a>(
        &self,
        room_id: &RoomId,
        events: impl IntoIterator<Item = &'a StoredEvent> + Send,
    ) -> Result<HashSet<OwnedEventId>, ReadError> {
        let events: Vec<_> = events.into_iter().filter_map(|event| Some((event.place?, &*event.event_id))).collect();
        related::among(&*self.inner.store, room_id, &events).await
    }

    /// A user's annotation of an event, by the annotation's type and key.
    ///
    /// # Errors
    /// The store's.
    pub async fn annotation(
        &self,
        room_id: &RoomId,
        target: &EventId,
        name: (&UserId, &str, &str),
    ) -> Result<Option<String>, ReadError> {
        let row = annotation::get(&*self.inner.store, (room_id, target), name).await?;
        Ok(row.map(|row| row.event_id))
    }

    /// Where an event stands; `None` if it is not known or has no place.
    ///
    /// # Errors
    /// The store's.
    pub async fn place_of(&self, room_id: &RoomId, event_id: &EventId) -> Result<Option<RoomPlace>, ReadError> {
        let row = event::get(&*self.inner.store, room_id, event_id).await?;
        Ok(row.filter(|row| row.placed).map(|row| RoomPlace::new(row.arrival, row.sub)))
    }

    /// Events of threads at or before `from`, newest first: at most `limit`, and fewer only at the beginning of the room.
    ///
    /// # Errors
    /// The store's.
    pub async fn thread_replies(
        &self,
        room_id: &RoomId,
        mut from: RoomPlace,
        limit: usize,
    ) -> Result<Vec<(RoomPlace, ThreadReplyRow)>, ReadError> {
        let Some(head) = self.head(room_id).await? else { return Ok(Vec::new()) };
        let mut bucket = thread_reply::bucket(from.arrival.min(head.next_arrival));
        let first = thread_reply::bucket(head.first_arrival);
        let mut replies = Vec::new();
        while bucket >= first && replies.len() < limit {
            let (rows, more) = thread_reply::scan_bucket(&*self.inner.store, room_id, bucket, from, limit - replies.len()).await?;
            if let Some((last, _)) = rows.last() {
                from = last.before();
            }
            replies.extend(rows);
            if !more {
                bucket -= 1;
            }
        }
        Ok(replies)
    }
}
