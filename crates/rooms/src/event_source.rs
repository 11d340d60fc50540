//! Where events come from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use moka::sync::Cache;
use ruma::{EventId, OwnedEventId, RoomId};

use crate::{pdu::Pdu, state::State, version::RoomVersion};

/// How an event was judged (`banyan.rooms.v1.EventStanding`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It passed all checks.
    #[default]
    Accepted,
    /// It passed, but not against the room's state when it came: kept, not shown, not built upon.
    SoftFailed,
    /// It failed: never part of the state.
    Rejected,
}

/// An event as it is kept.
#[derive(Clone, Debug)]
pub struct KnownEvent {
    /// The event, marked if it was rejected.
    pub pdu: Pdu,
    /// How it was judged.
    pub standing: Standing,
    /// The state after it; `None` for an outlier.
    pub state_after: Option<State>,
}

impl KnownEvent {
    fn weight(&self) -> u32 {
        let state = self.state_after.as_ref().map_or(0, |state| 64 + state.deltas().len() * 160);
        u32::try_from(self.pdu.weight() + state).unwrap_or(u32::MAX)
    }
}

/// A failed read of events.
#[derive(Debug, thiserror::Error)]
pub enum EventSourceError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] banyan_store::StoreError),
    /// An event does not read back.
    #[error("stored event {event_id} is corrupt: {problem}")]
    Corrupt {
        /// Which one.
        event_id: OwnedEventId,
        /// What is wrong.
        problem: String,
    },
}

/// Reads events of a room by id, redacted ones as they are kept.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// Reads events, in any order; those that are not known are left out. One call is one read of the store however many ids.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    async fn events(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, EventSourceError>;
}

#[async_trait]
impl<T: EventSource + ?Sized> EventSource for Arc<T> {
    async fn events(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, EventSourceError> {
        (**self).events(room, version, ids).await
    }
}

/// A bounded cache over another source. Whoever changes how an event is kept (a redaction, a new judgement, a place) must call
/// [`Self::insert`] with the new form.
pub struct CachedEvents<S> {
    inner: S,
    cache: Cache<OwnedEventId, KnownEvent>,
}

impl<S> std::fmt::Debug for CachedEvents<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedEvents").finish_non_exhaustive()
    }
}

impl<S: EventSource> CachedEvents<S> {
    /// A cache of at most about `max_bytes` over `inner`. Its size is the gauge `banyan.rooms.event_cache`.
    pub fn new(inner: S, max_bytes: u64) -> Self {
        let cache = Cache::builder()
            .name("events")
            .max_capacity(max_bytes)
            .weigher(|_: &OwnedEventId, event: &KnownEvent| event.weight())
            .build();
        crate::metrics::observe_cache("banyan.rooms.event_cache", "Events held in memory", &cache);
        Self { inner, cache }
    }

    /// Remembers an event as it is kept from now on.
    pub fn insert(&self, event: KnownEvent) {
        self.cache.insert(event.pdu.event_id().to_owned(), event);
    }

    /// Forgets an event.
    pub fn remove(&self, event_id: &EventId) {
        self.cache.invalidate(event_id);
    }
}

#[async_trait]
impl<S: EventSource> EventSource for CachedEvents<S> {
    async fn events(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, EventSourceError> {
        let mut found = Vec::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.cache.get(id).filter(|event| event.pdu.room_id() == room) {
                Some(event) => found.push(event),
                None => missing.push(id.clone()),
            }
        }
        if !missing.is_empty() {
            for event in self.inner.events(room, version, &missing).await? {
                self.insert(event.clone());
                found.push(event);
            }
        }
        Ok(found)
    }
}

/// Events in memory: for tests, and as an overlay of events that are on their way into the store.
pub struct MemoryEvents<S = ()> {
    inner: S,
    events: Mutex<HashMap<OwnedEventId, KnownEvent>>,
}

impl<S> std::fmt::Debug for MemoryEvents<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryEvents").finish_non_exhaustive()
    }
}

impl Default for MemoryEvents {
    fn default() -> Self {
        Self::over(())
    }
}

impl<S> MemoryEvents<S> {
    /// An overlay over `inner`: what it holds hides what `inner` has.
    pub fn over(inner: S) -> Self {
        Self { inner, events: Mutex::new(HashMap::new()) }
    }

    /// Puts an event in.
    pub fn insert(&self, event: KnownEvent) {
        let id = event.pdu.event_id().to_owned();
        self.events.lock().unwrap_or_else(PoisonError::into_inner).insert(id, event);
    }

    /// Takes an event out.
    pub fn remove(&self, event_id: &EventId) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).remove(event_id);
    }
}

/// No events at all: below a [`MemoryEvents`] that holds everything.
#[async_trait]
impl EventSource for () {
    async fn events(&self, _: &RoomId, _: &'static RoomVersion, _: &[OwnedEventId]) -> Result<Vec<KnownEvent>, EventSourceError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl<S: EventSource> EventSource for MemoryEvents<S> {
    async fn events(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, EventSourceError> {
        let (mut found, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
        {
            let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match events.get(id) {
                    Some(event) => found.push(event.clone()),
                    None => missing.push(id.clone()),
                }
            }
        }
        if !missing.is_empty() {
            found.append(&mut self.inner.events(room, version, &missing).await?);
        }
        Ok(found)
    }
}
