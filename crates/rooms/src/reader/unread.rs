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

    /// When the user came in, or marked all as read.
    #[must_use]
    pub fn all(&self) -> i64 {
        self.all.unwrap_or(i64::MIN)
    }
}

/// What there is to know of what a user has read and not read in a room.
#[derive(Debug, Default)]
pub struct UnreadState {
    /// Up to where they have read.
    pub upto: ReadUpto,
    /// Everybody's totals, by thread.
    pub everybody: BTreeMap<String, UnreadTotal>,
    /// By how much the user's differ.
    pub own: BTreeMap<String, UnreadTotal>,
    seq: u64,
}

impl RoomReader {
    /// What a user has not read in a room they are in. May be newer than the moment it is asked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread(&self, room_id: &RoomId, user_id: &UserId) -> Result<RoomUnread, ReadError> {
        let state = self.unread_state(room_id, user_id).await?;
        let threads: BTreeSet<&String> =
            state.everybody.keys().chain(state.own.keys()).filter(|thread| !thread.is_empty()).collect();
        let count = |thread: &String| {
            let (thread, upto) = (thread.clone(), state.upto.of(thread));
            let (everybody, own) = (state.everybody.get(&thread).copied(), state.own.get(&thread).copied());
            async move {
                let everybody = self.since(room_id, EVERYBODY, &thread, everybody, upto).await?;
                let own = self.since(room_id, user_id.as_str(), &thread, own, upto).await?;
                Ok::<_, ReadError>((thread, UnreadCounts::new((everybody.0 + own.0, everybody.1 + own.1))))
            }
        };
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let counts: Vec<_> = threads.into_iter().map(count).collect();
        let counts: Vec<_> = stream::iter(counts).buffered(PARALLEL).try_collect().await?;
        let mut unread = RoomUnread { seq: LogSeq(state.seq), ..RoomUnread::default() };
        for (thread, counts) in counts {
            if thread == MAIN {
                unread.main = counts;
            } else if !counts.is_zero() {
                unread.threads.insert(thread, counts);
            }
        }
        Ok(unread)
    }

    /// What decides about it.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread_state(&self, room_id: &RoomId, user_id: &UserId) -> Result<UnreadState, ReadError> {
        let store = &*self.inner.store;
        let (receipts, everybody, own) = futures::future::try_join3(
            receipt::scan(store, user_id, room_id),
            unread_total::scan(store, room_id, EVERYBODY),
            unread_total::scan(store, room_id, user_id.as_str()),
        )
        .await?;
        let mut state = UnreadState::default();
        for row in receipts {
            state.seq = state.seq.max(row.seq);
            if let Some(receipt) = row.receipt {
                // History found before an arrival has that arrival, and is before it.
                let upto = if receipt.sub < 0 { receipt.arrival - 1 } else { receipt.arrival };
                state.upto.add(&receipt.thread_id, upto);
            }
        }
        for (thread, total) in &own {
            if let Some(own) = total.own {
                state.upto.add(thread, own);
            }
        }
        state.everybody = everybody.into_iter().filter(|(thread, _)| !thread.is_empty()).collect();
        state.own = own.into_iter().collect();
        let seqs = state.everybody.values().chain(state.own.values()).map(|total| total.seq);
        state.seq = seqs.fold(state.seq, u64::max);
        Ok(state)
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
