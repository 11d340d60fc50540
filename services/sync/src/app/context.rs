//! What every part of a response needs to know of its request.

use std::{collections::HashSet, sync::Arc};

use banyan_core::TimestampMicros;
use banyan_rooms::visibility::VisibilityFilter;
use ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId};

use crate::{error::SyncError, filter::Filter, lazy::Session, source::Source, tails::change::RoomEvent};

/// A request, as rooms are answered for it.
#[derive(Clone)]
pub struct Context {
    /// The tables.
    pub source: Source,
    /// What the client wants to be told.
    pub filter: Arc<Filter>,
    /// Who asks.
    pub user: OwnedUserId,
    /// From which device.
    pub device: OwnedDeviceId,
    /// Members that the device knows.
    pub lazy: Arc<Session>,
    /// State at the end of timelines, not at their start.
    pub state_after: bool,
    /// All state, whatever the client has.
    pub full_state: bool,
    /// Users whose events are left out, but for state.
    pub ignored: Arc<HashSet<String>>,
    /// When the response is made.
    pub now: TimestampMicros,
}

impl Context {
    /// Whether members are sent only as far as they are needed.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        self.filter.state.lazy_load_members
    }

    /// Whether the timeline of a room may show an event, as far as the reader's own wishes go.
    #[must_use]
    pub fn wants(&self, event: &RoomEvent) -> bool {
        let ignored = event.state_key.is_none() && self.ignored.contains(&event.sender);
        !ignored && self.filter.timeline.takes(event)
    }

    /// Judges events of a room for the user.
    #[must_use]
    pub fn visibility(&self, room: OwnedRoomId) -> VisibilityFilter {
        VisibilityFilter::new(self.source.rooms.clone(), room, self.user.clone())
    }
}

/// The typed id of a room.
pub(crate) fn room_id(text: &str) -> Result<OwnedRoomId, SyncError> {
    OwnedRoomId::try_from(text).map_err(|error| SyncError::Internal(format!("the room {text:?} has no room id: {error}")))
}
