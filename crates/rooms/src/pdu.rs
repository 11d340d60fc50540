//! Events as servers exchange them (PDUs): parsed once, shared cheaply, kept as canonical JSON without `unsigned`.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use ruma::{
    CanonicalJsonObject, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
    events::TimelineEventType, state_res,
};
use serde_json::value::RawValue;

use crate::{
    power::{CreateInfo, PowerLevels},
    state::StateKey,
    version::RoomVersion,
};

mod format;
mod read;

pub use format::{MAX_DEPTH, MAX_EVENT_BYTES, MAX_ID_BYTES, PduError};

/// An event. Cloning shares it.
#[derive(Clone)]
pub struct Pdu {
    inner: Arc<Inner>,
    rejected: bool,
}

struct Inner {
    version: &'static RoomVersion,
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    kind: TimelineEventType,
    state_key: Option<String>,
    content: Box<RawValue>,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    redacts: Option<OwnedEventId>,
    membership: Option<String>,
    depth: u64,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    json: Bytes,
    // What authorisation asks of the event again and again, parsed at the first question.
    power: OnceLock<Result<PowerLevels, String>>,
    create: OnceLock<Result<CreateInfo, String>>,
}

impl Pdu {
    /// Reads an event from another server: strict JSON, the specification's limits, the event id computed from the bytes.
    /// `unsigned` is dropped. Signatures and the content hash are not looked at ([`crate::signing`]).
    ///
    /// # Errors
    ///
    /// If it is not canonical JSON, too large, or its fields are not what the room version says: such an event is dropped
    /// (server-server specification, "Checks performed on receipt of a PDU", step 1).
    pub fn from_received(json: &[u8], version: &'static RoomVersion) -> Result<Self, PduError> {
        Self::from_object(format::parse(json)?, version)
    }

    /// The same for an event that is parsed already.
    ///
    /// # Errors
    ///
    /// As [`Self::from_received`].
    pub fn from_object(object: CanonicalJsonObject, version: &'static RoomVersion) -> Result<Self, PduError> {
        read::strictly(object, version)
    }

    /// Reads an event from our own store, where `event_id` was kept beside it.
    ///
    /// # Errors
    ///
    /// If the stored bytes are not an event.
    pub fn from_stored(
        json: Bytes,
        event_id: OwnedEventId,
        room_id: &RoomId,
        version: &'static RoomVersion,
    ) -> Result<Self, PduError> {
        read::trusting(json, event_id, room_id, version)
    }

    /// The version of its room.
    #[must_use]
    pub fn version(&self) -> &'static RoomVersion {
        self.inner.version
    }

    /// Its id.
    #[must_use]
    pub fn event_id(&self) -> &EventId {
        &self.inner.event_id
    }

    /// Its room, also where the event itself does not name it (`m.room.create` from version 12 on).
    #[must_use]
    pub fn room_id(&self) -> &RoomId {
        &self.inner.room_id
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> &UserId {
        &self.inner.sender
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &TimelineEventType {
        &self.inner.kind
    }

    /// Its state key; `None` for events that are not state.
    #[must_use]
    pub fn state_key(&self) -> Option<&str> {
        self.inner.state_key.as_deref()
    }

    /// The key that it sets in the room's state, for state events.
    #[must_use]
    pub fn key(&self) -> Option<StateKey> {
        self.state_key().map(|state_key| StateKey::new(self.kind().to_string(), state_key))
    }

    /// Whether it is the room's create event.
    #[must_use]
    pub fn is_create(&self) -> bool {
        *self.kind() == TimelineEventType::RoomCreate && self.state_key() == Some("")
    }

    /// Its content, an object.
    #[must_use]
    pub fn content(&self) -> &RawValue {
        &self.inner.content
    }

    /// Its content, read as `T`.
    ///
    /// # Errors
    ///
    /// If the content is not a `T`.
    pub fn content_as<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.inner.content.get())
    }

    /// The events it follows.
    #[must_use]
    pub fn prev_events(&self) -> &[OwnedEventId] {
        &self.inner.prev_events
    }

    /// The events that authorise it.
    #[must_use]
    pub fn auth_events(&self) -> &[OwnedEventId] {
        &self.inner.auth_events
    }

    /// For `m.room.redaction`: the event it redacts, from where the room version keeps it.
    #[must_use]
    pub fn redacts(&self) -> Option<&EventId> {
        self.inner.redacts.as_deref()
    }

    /// For `m.room.member`: `content.membership`.
    #[must_use]
    pub fn membership(&self) -> Option<&str> {
        self.inner.membership.as_deref()
    }

    /// One more than the largest depth of its previous events.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.inner.depth
    }

    /// When its server says it was made.
    #[must_use]
    pub fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.inner.origin_server_ts
    }

    /// The event in federation format: canonical JSON, with hashes and signatures, without `unsigned`.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.inner.json
    }

    /// The event as an object, parsed anew.
    #[must_use]
    pub fn to_object(&self) -> CanonicalJsonObject {
        // It was parsed or serialised by this module, so this cannot fail.
        serde_json::from_slice(&self.inner.json).unwrap_or_default()
    }

    /// Whether it failed authorisation: it may be referred to, and authorises nothing.
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.rejected
    }

    /// The same event, marked.
    #[must_use]
    pub fn with_rejected(mut self, rejected: bool) -> Self {
        self.rejected = rejected;
        self
    }

    /// Its power levels, if it is `m.room.power_levels`. Parsed once.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with the content.
    pub fn power_levels(&self) -> Result<&PowerLevels, &str> {
        self.inner.power.get_or_init(|| PowerLevels::read(self)).as_ref().map_err(String::as_str)
    }

    /// What `m.room.create` says about power and federation. Parsed once.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with the content.
    pub fn create_info(&self) -> Result<&CreateInfo, &str> {
        self.inner.create.get_or_init(|| CreateInfo::read(self)).as_ref().map_err(String::as_str)
    }

    /// About how many bytes it takes in memory: what caches count.
    #[must_use]
    pub fn weight(&self) -> usize {
        let ids = self.inner.prev_events.len() + self.inner.auth_events.len();
        self.inner.json.len() + self.inner.content.get().len() + ids * 64 + 512
    }
}

impl fmt::Debug for Pdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pdu")
            .field("event_id", &self.inner.event_id)
            .field("kind", &self.inner.kind)
            .field("state_key", &self.inner.state_key)
            .field("sender", &self.inner.sender)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Pdu {
    fn eq(&self, other: &Self) -> bool {
        self.inner.event_id == other.inner.event_id && self.inner.json == other.inner.json
    }
}

impl Eq for Pdu {}

impl state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.inner.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        // The rules ask for the field, not for the room.
        let absent = *self.kind() == TimelineEventType::RoomCreate && self.inner.version.room_id_is_create_hash();
        (!absent).then_some(&*self.inner.room_id)
    }

    fn sender(&self) -> &UserId {
        &self.inner.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.inner.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.inner.kind
    }

    fn content(&self) -> &RawValue {
        &self.inner.content
    }

    fn state_key(&self) -> Option<&str> {
        self.inner.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.inner.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.inner.auth_events.iter())
    }

    fn redacts(&self) -> Option<&OwnedEventId> {
        self.inner.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.rejected
    }
}

#[cfg(test)]
mod tests;
