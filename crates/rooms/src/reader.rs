//! The read side of rooms, for every role: typed reads of the tables that the roomserver writes. It never writes and asks no owner;
//! what it answers is as new as the rows are.

mod device_lists;
mod directory;
mod events;
mod members;
mod names;
mod notifications;
mod receipts;
mod relations;
mod source;
mod state;
mod summaries;
mod timeline;
mod times;
mod unread;
mod users;

use std::sync::Arc;

use banyan_core::{LogSeq, TimestampMicros};
use banyan_proto::rooms::{EventStanding, RoomHead, StateRoot, Transaction};
use banyan_store::Store;
use bytes::Bytes;
use ruma::{OwnedEventId, OwnedRoomId, RoomId, RoomVersionId};

pub use self::{
    directory::DirectoryWalk,
    members::MembersQuery,
    notifications::{Notification, RoomNotifications},
    relations::RelationsQuery,
    state::{StateEvent, StateId},
    timeline::{Direction, TimelinePage, TimelineQuery},
    unread::{MAIN, ReadUpto, RoomUnread, UnreadCounts, UnreadOfRoom, UnreadOfUser},
};
use crate::{
    ReadError, RoomPlace,
    state::{States, cache::CachedNodes, store::StoredNodes},
    tables::room_head,
};

/// Rooms whose version is remembered.
const VERSIONS: u64 = 100_000;
/// Sums of notifications up to places where users have read to that are remembered.
const SUMS: u64 = 50_000;

/// Which of a room's states is meant.
#[derive(Clone, Debug, Default)]
pub enum At {
    /// The current state.
    #[default]
    Now,
    /// The state after the last event at or before a place.
    Place(RoomPlace),
    /// A state by its root, as events and heads carry it.
    Root(StateRoot),
}

/// An event as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its room.
    pub room_id: OwnedRoomId,
    /// Federation format, JSON, without `unsigned`; pruned if it was redacted.
    pub pdu: Bytes,
    /// Where it stands; `None` for outliers and rejected events.
    pub place: Option<RoomPlace>,
    /// The log entry that placed it (or stored it, without a place).
    pub seq: LogSeq,
    /// When it arrived here; zero without a place.
    pub received: TimestampMicros,
    /// What is thought of it.
    pub standing: EventStanding,
    /// The state after it; empty without a place.
    pub state_after: StateRoot,
    /// For state events: the event it replaced in the state before it.
    pub replaces_state: Option<OwnedEventId>,
    /// Content of the replaced event, if small; empty otherwise.
    pub prev_content: Bytes,
    /// Sender of the replaced event.
    pub prev_sender: String,
    /// The client transaction it came from.
    pub transaction: Option<Transaction>,
    /// Who redacted it: the redaction's id and body.
    pub redaction: Option<(OwnedEventId, Bytes)>,
    /// History is missing just before it; known of events that were read in a page of the timeline.
    pub gap_before: bool,
}

impl StoredEvent {
    /// Whether clients may be shown it at all: it has a place and was accepted without reserve.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.place.is_some() && self.standing == EventStanding::Accepted
    }
}

/// Reads rooms. Cheap to clone.
#[derive(Clone)]
pub struct RoomReader {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    states: States,
    versions: moka::sync::Cache<OwnedRoomId, RoomVersionId>,
    sums: moka::sync::Cache<unread::SumsKey, (i64, i64)>,
}

impl std::fmt::Debug for RoomReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomReader").finish_non_exhaustive()
    }
}

impl RoomReader {
    /// A reader of `store` that keeps up to `node_cache_bytes` of state nodes (they never change).
    #[must_use]
    pub fn new(store: Arc<dyn Store>, node_cache_bytes: u64) -> Self {
        let states = States::new(Arc::new(CachedNodes::new(StoredNodes::new(store.clone()), node_cache_bytes)));
        Self {
            inner: Arc::new(Inner {
                store,
                states,
                versions: moka::sync::Cache::new(VERSIONS),
                sums: moka::sync::Cache::new(SUMS),
            }),
        }
    }

    /// The state tries, through the cache.
    #[must_use]
    pub fn states(&self) -> &States {
        &self.inner.states
    }

    /// The store it reads.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The head of a room; `None` where the room is not known here.
    ///
    /// # Errors
    /// The store's.
    pub async fn head(&self, room_id: &RoomId) -> Result<Option<RoomHead>, ReadError> {
        room_head::get(&*self.inner.store, room_id).await
    }

    /// The heads of several rooms, in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn heads<R: AsRef<str> + Sync>(&self, room_ids: &[R]) -> Result<Vec<Option<RoomHead>>, ReadError> {
        room_head::multi_get(&*self.inner.store, room_ids).await
    }

    /// The version of a room.
    ///
    /// # Errors
    /// The store's.
    pub async fn room_version(&self, room_id: &RoomId) -> Result<Option<RoomVersionId>, ReadError> {
        if let Some(version) = self.inner.versions.get(room_id) {
            return Ok(Some(version));
        }
        let Some(head) = self.head(room_id).await? else { return Ok(None) };
        let version =
            RoomVersionId::try_from(head.room_version.as_str()).map_err(|error| ReadError::corrupt("room_head", error))?;
        self.inner.versions.insert(room_id.to_owned(), version.clone());
        Ok(Some(version))
    }
}

#[cfg(test)]
mod tests;
