//! What a user has not read (client-server specification, "Receiving notifications").

use std::collections::{BTreeMap, BTreeSet, HashMap};

use banyan_core::LogSeq;
use banyan_proto::rooms::UnreadTotal;
use futures::{StreamExt, TryStreamExt, stream};
use ruma::{OwnedRoomId, RoomId, UserId};

use super::RoomReader;
use crate::{
    ReadError,
    tables::{
        receipt, unread_event,
        unread_total::{self, EVERYBODY},
    },
};

/// The thread of all that is in no thread.
pub const MAIN: &str = "main";

/// Reads of one room at a time.
const PARALLEL: usize = 16;

/// How much is unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadCounts {
    /// Events that notified.
    pub notifications: u64,
    /// Those of them that are highlighted.
    pub highlights: u64,
}

impl UnreadCounts {
    fn new((notify, highlight): Sums) -> Self {
        let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
        Self { notifications: count(notify), highlights: count(highlight) }
    }

    const fn is_zero(self) -> bool {
        self.notifications == 0 && self.highlights == 0
    }
}

/// What a user has not read in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomUnread {
    /// Outside of threads.
    pub main: UnreadCounts,
    /// By root of thread; only those where something is unread.
    pub threads: BTreeMap<String, UnreadCounts>,
    /// The last entry that moved any of it.
    pub seq: LogSeq,
}

impl RoomUnread {
    /// All threads together.
    #[must_use]
    pub fn all(&self) -> UnreadCounts {
        let add = |sum: UnreadCounts, of: &UnreadCounts| UnreadCounts {
            notifications: sum.notifications + of.notifications,
            highlights: sum.highlights + of.highlights,
        };
        self.threads.values().fold(self.main, add)
    }
}

/// Notifications and highlights.
type Sums = (i64, i64);

/// Room, user, thread and arrival: the sums up to there never change.
pub(super) type SumsKey = (OwnedRoomId, String, String, i64);

/// Up to where a user has read, as arrivals.
#[derive(Debug, Default)]
pub struct ReadUpto {
    /// In all threads.
    all: Option<i64>,
    threads: HashMap<String, i64>,
}

impl ReadUpto {
    fn add(&mut self, thread_id: &str, upto: i64) {
        if thread_id.is_empty() {
            self.all = self.all.max(Some(upto));
        } else {
            let of = self.threads.entry(thread_id.to_owned()).or_insert(upto);
            *of = upto.max(*of);
        }
    }

    /// The last arrival that was read of a thread; before everything if there is none.
    #[must_use]
    pub fn of(&self, thread_id: &str) -> i64 {
        self.all.max(self.threads.get(thread_id).copied()).unwrap_or(i64::MIN)
    }
}

/// Everybody's totals in a room.
#[derive(Clone, Debug, Default)]
pub struct UnreadOfRoom {
    /// By thread.
    pub totals: BTreeMap<String, UnreadTotal>,
}

/// What a user has read of a room, and by how much their totals differ from everybody's.
#[derive(Debug, Default)]
pub struct UnreadOfUser {
    /// Up to where they have read.
    pub upto: ReadUpto,
    /// By thread.
    pub totals: BTreeMap<String, UnreadTotal>,
    /// The last of their receipts.
    seq: u64,
}

impl UnreadOfUser {
    /// How much it is.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.totals.len() + self.upto.threads.len()
    }
}

impl RoomReader {
    /// What a user has not read in a room they are in. May be newer than the moment it is asked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread(&self, room_id: &RoomId, user_id: &UserId) -> Result<RoomUnread, ReadError> {
        let (room, user) = futures::future::try_join(self.unread_of_room(room_id), self.unread_of_user(room_id, user_id)).await?;
        self.count_unread(room_id, user_id, &room, &user).await
    }

    /// The same from what was read before. Places up to which users read cost a read when they are first asked for.
    ///
    /// # Errors
    /// The store's.
    pub async fn count_unread(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
        room: &UnreadOfRoom,
        user: &UnreadOfUser,
    ) -> Result<RoomUnread, ReadError> {
        let threads: BTreeSet<&String> = room.totals.keys().chain(user.totals.keys()).filter(|thread| !thread.is_empty()).collect();
        let count = |thread: &String| {
            let (thread, upto) = (thread.clone(), user.upto.of(thread));
            let (everybody, own) = (room.totals.get(&thread).copied(), user.totals.get(&thread).copied());
            async move {
                let everybody = self.since(room_id, EVERYBODY, &thread, everybody, upto).await?;
                let own = self.since(room_id, user_id.as_str(), &thread, own, upto).await?;
                Ok::<_, ReadError>((thread, UnreadCounts::new((everybody.0 + own.0, everybody.1 + own.1))))
            }
        };
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let counts: Vec<_> = threads.into_iter().map(count).collect();
        let counts: Vec<_> = stream::iter(counts).buffered(PARALLEL).try_collect().await?;
        let totals = room.totals.values().chain(user.totals.values());
        let seq = LogSeq(totals.map(|total| total.seq).fold(user.seq, u64::max));
        let mut unread = RoomUnread { seq, ..RoomUnread::default() };
        for (thread, counts) in counts {
            if thread == MAIN {
                unread.main = counts;
            } else if !counts.is_zero() {
                unread.threads.insert(thread, counts);
            }
        }
        Ok(unread)
    }

    /// Everybody's part.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread_of_room(&self, room_id: &RoomId) -> Result<UnreadOfRoom, ReadError> {
        let totals = unread_total::scan(&*self.inner.store, room_id, EVERYBODY).await?;
        Ok(UnreadOfRoom { totals: totals.into_iter().filter(|(thread, _)| !thread.is_empty()).collect() })
    }

    /// A user's part.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread_of_user(&self, room_id: &RoomId, user_id: &UserId) -> Result<UnreadOfUser, ReadError> {
        let store = &*self.inner.store;
        let receipts = receipt::scan(store, user_id, room_id);
        let (receipts, totals) = futures::future::try_join(receipts, unread_total::scan(store, room_id, user_id.as_str())).await?;
        let mut user = UnreadOfUser::default();
        for row in receipts {
            user.seq = user.seq.max(row.seq);
            if let Some(receipt) = row.receipt {
                // History found before an arrival has that arrival, and is before it.
                let upto = if receipt.sub < 0 { receipt.arrival - 1 } else { receipt.arrival };
                user.upto.add(&receipt.thread_id, upto);
            }
        }
        for (thread, total) in &totals {
            if let Some(own) = total.own {
                user.upto.add(thread, own);
            }
        }
        user.totals = totals.into_iter().collect();
        Ok(user)
    }

    /// What was added to a total after an arrival.
    async fn since(
        &self,
        room_id: &RoomId,
        user_id: &str,
        thread_id: &str,
        total: Option<UnreadTotal>,
        upto: i64,
    ) -> Result<Sums, ReadError> {
        let Some(total) = total.filter(|total| total.events > 0 && total.last > upto) else { return Ok((0, 0)) };
        let (notify, highlight) =
            if upto < total.first { (0, 0) } else { self.sums_upto(room_id, user_id, thread_id, &total, upto).await? };
        Ok((total.notify - notify, total.highlight - highlight))
    }

    async fn sums_upto(
        &self,
        room_id: &RoomId,
        user_id: &str,
        thread_id: &str,
        total: &UnreadTotal,
        upto: i64,
    ) -> Result<Sums, ReadError> {
        let key: SumsKey = (room_id.to_owned(), user_id.to_owned(), thread_id.to_owned(), upto);
        if let Some(sums) = self.inner.sums.get(&key) {
            return Ok(sums);
        }
        let of = unread_event::Of { room_id, user_id, thread_id };
        let Some(row) = unread_event::last_upto(&*self.inner.store, of, total, upto).await? else { return Ok((0, 0)) };
        let sums = (row.notify, row.highlight);
        self.inner.sums.insert(key, sums);
        Ok(sums)
    }
}
