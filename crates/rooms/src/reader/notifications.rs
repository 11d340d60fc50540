//! The events that a user was notified of (client-server specification, GET /notifications).

use std::collections::{BTreeMap, BTreeSet};

use banyan_proto::rooms::{UnreadEventRow, UnreadTotal};
use futures::{StreamExt, TryStreamExt, stream};
use ruma::{RoomId, UserId};

use super::{RoomReader, UnreadOfUser};
use crate::{
    ReadError,
    tables::{
        unread_event::{self, Of},
        unread_total::EVERYBODY,
    },
};

/// Reads of one room at a time.
const PARALLEL: usize = 16;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// When its event arrived, microseconds.
    pub at: i64,
    /// The event.
    pub event_id: String,
    /// The actions of the push rule, a JSON list.
    pub actions: String,
    /// Whether the user has read the event.
    pub read: bool,
}

/// Notifications of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomNotifications {
    /// Newest first.
    pub found: Vec<Notification>,
    /// There may be others at or before this time; `None`: these are all.
    pub rest: Option<i64>,
}

/// What one total was added to, newest first.
#[derive(Debug, Default)]
struct Events {
    rows: Vec<(i64, UnreadEventRow)>,
    rest: Option<i64>,
}

impl RoomReader {
    /// Notifications of a room that the user is in (or, if not `joined`, invited to) from before a time (microseconds): those among the
    /// newest `limit` events of each thread. Events of the user's own may be among them.
    ///
    /// # Errors
    /// The store's.
    pub async fn notifications(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
        joined: bool,
        (before, limit): (i64, usize),
    ) -> Result<RoomNotifications, ReadError> {
        let (room, user) = futures::future::try_join(self.unread_of_room(room_id), self.unread_of_user(room_id, user_id)).await?;
        let threads: BTreeSet<&String> = room.totals.keys().chain(user.totals.keys()).filter(|thread| !thread.is_empty()).collect();
        let read = |thread: &String| {
            let thread = thread.clone();
            let totals = (room.totals.get(&thread).copied(), user.totals.get(&thread).copied());
            async move {
                let everybody =
                    self.events_before(Of { room_id, user_id: EVERYBODY, thread_id: &thread }, totals.0, before, limit).await?;
                let own = self
                    .events_before(Of { room_id, user_id: user_id.as_str(), thread_id: &thread }, totals.1, before, limit)
                    .await?;
                Ok::<_, ReadError>((thread, everybody, own))
            }
        };
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let reads: Vec<_> = threads.into_iter().map(read).collect();
        let reads: Vec<_> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
        let mut notifications = RoomNotifications::default();
        for (thread, everybody, own) in reads {
            notifications.rest = notifications.rest.max(everybody.rest).max(own.rest);
            let everybody = if joined { everybody } else { Events::default() };
            notifications.found.extend(merge(&user, &thread, everybody, own));
        }
        if let Some(rest) = notifications.rest {
            notifications.found.retain(|found| found.at > rest);
        }
        notifications.found.sort_by_key(|found| std::cmp::Reverse(found.at));
        Ok(notifications)
    }

    /// The newest events of a total from before a time.
    async fn events_before(&self, of: Of<'_>, total: Option<UnreadTotal>, before: i64, limit: usize) -> Result<Events, ReadError> {
        let Some(total) = total.filter(|total| total.events > 0) else { return Ok(Events::default()) };
        let store = &*self.inner.store;
        let (mut bucket, mut upto) = (unread_event::bucket(total.events), total.last);
        let mut events = Events::default();
        if unread_event::last_upto(store, of, &total, upto).await?.is_some_and(|row| row.at >= before) {
            // Times are in the order of arrivals.
            let (mut low, mut high) = (total.first - 1, total.last - 1);
            while low < high {
                let middle = low + (high - low + 1) / 2;
                let row = unread_event::last_upto(store, of, &total, middle).await?;
                if row.is_some_and(|row| row.at >= before) { high = middle - 1 } else { low = middle }
            }
            upto = low;
        }
        while bucket >= 0 && upto >= total.first {
            let (rows, more) = unread_event::scan_bucket(store, of, bucket, upto, limit - events.rows.len()).await?;
            events.rows.extend(rows);
            if more || (events.rows.len() >= limit && bucket > 0) {
                events.rest = events.rows.last().map(|(_, row)| row.at - 1);
                break;
            }
            bucket -= 1;
        }
        Ok(events)
    }
}

/// Everybody's notifications of a thread since the user came in, but where the user's own differ.
fn merge(user: &UnreadOfUser, thread: &str, everybody: Events, own: Events) -> Vec<Notification> {
    let joined = user.totals.get("").and_then(|total| total.own).unwrap_or(i64::MIN);
    let upto = user.upto.of(thread);
    let mut rows: BTreeMap<i64, UnreadEventRow> = everybody.rows.into_iter().filter(|(arrival, _)| *arrival > joined).collect();
    rows.extend(own.rows);
    let notification = |(arrival, row): (i64, UnreadEventRow)| Notification {
        at: row.at,
        event_id: row.event_id,
        actions: row.actions,
        read: arrival <= upto,
    };
    rows.into_iter().map(notification).filter(|found| !found.actions.is_empty()).collect()
}
