//! The event stream that clients read before there was `/sync`: `/events` and `/initialSync`, told from what the sync role answers.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use futures::TryStreamExt as _;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{App, Requester, sync::SyncWish};

/// A filter that lets no room and no account data through: of such a sync only its token matters.
pub(super) const NOTHING: &str = r#"{"room":{"rooms":[]},"presence":{"types":[]},"account_data":{"types":[]}}"#;

/// Events of any room, in the client format with their rooms' ids.
#[derive(Debug)]
pub(crate) struct EventChunk {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) chunk: Vec<Vec<u8>>,
}

/// A whole answer of the sync role, as far as the old forms need it.
#[derive(Deserialize)]
pub(super) struct SyncBody {
    pub(super) next_batch: String,
    #[serde(default)]
    pub(super) rooms: SyncRooms,
    #[serde(default)]
    pub(super) presence: Events,
    #[serde(default)]
    pub(super) account_data: Events,
    #[serde(default)]
    pub(super) device_lists: DeviceLists,
}

/// Users whose devices are to be looked at again, and users with whom no room is shared any more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceLists {
    pub(crate) changed: Vec<String>,
    pub(crate) left: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SyncRooms {
    pub(super) join: BTreeMap<OwnedRoomId, SyncRoom>,
    pub(super) leave: BTreeMap<OwnedRoomId, SyncRoom>,
    pub(super) invite: BTreeMap<OwnedRoomId, serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SyncRoom {
    pub(super) timeline: Timeline,
    pub(super) state_after: Events,
    pub(super) ephemeral: Events,
    pub(super) account_data: Events,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Timeline {
    pub(super) events: Vec<Box<RawValue>>,
    pub(super) prev_batch: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Events {
    pub(super) events: Vec<Box<RawValue>>,
}

impl App {
    /// What happened since a token in all rooms of the caller; waits for it if there is nothing yet.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a token that is none.
    pub(crate) async fn event_stream(
        &self,
        requester: &Requester,
        from: Option<String>,
        timeout_ms: u64,
    ) -> Result<EventChunk, ServiceError> {
        let start = match from {
            Some(token) => token,
            None => self.now(requester).await?,
        };
        let body = self.whole_sync(requester, SyncWish { since: Some(start.clone()), timeout_ms, ..SyncWish::default() }).await?;
        let mut chunk = Vec::new();
        for (room_id, room) in body.rooms.join.iter().chain(&body.rooms.leave) {
            let events = room.timeline.events.iter().chain(&room.ephemeral.events);
            chunk.extend(events.map(|event| with_room(event, room_id)));
        }
        for room_id in body.rooms.invite.keys() {
            chunk.extend(self.own_member_event(requester, room_id).await?);
        }
        chunk.extend(body.presence.events.iter().map(|event| event.get().as_bytes().to_vec()));
        Ok(EventChunk { start, end: body.next_batch, chunk })
    }

    /// The token of this moment.
    async fn now(&self, requester: &Requester) -> Result<String, ServiceError> {
        let wish = SyncWish { filter: Some(NOTHING.to_owned()), ..SyncWish::default() };
        Ok(self.whole_sync(requester, wish).await?.next_batch)
    }

    /// A sync as a whole. As any sync with a token it says that the device got what came before that.
    pub(super) async fn whole_sync(&self, requester: &Requester, wish: SyncWish) -> Result<SyncBody, ServiceError> {
        let pieces: Vec<_> = self.sync(requester, wish).await?.try_collect().await?;
        serde_json::from_slice(&pieces.concat()).map_err(|error| ServiceError::internal(format!("the sync role's answer: {error}")))
    }

    /// The caller's own member event in a room, in the client format.
    pub(super) async fn own_member_event(&self, requester: &Requester, room_id: &RoomId) -> Result<Option<Vec<u8>>, ServiceError> {
        let at = banyan_rooms::reader::At::Now;
        let event = self.rooms.state_event(room_id, "m.room.member", requester.user_id.as_str(), &at).await?;
        event.map(|event| self.render_state(&event, room_id)).transpose()
    }
}

/// An event as `/sync` tells it, with the id of its room as the other forms need it.
pub(super) fn with_room(event: &RawValue, room_id: &RoomId) -> Vec<u8> {
    let rest = event.get().trim_start().trim_start_matches('{');
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    format!("{{\"room_id\":{}{comma}{rest}", json!(room_id)).into_bytes()
}

#[cfg(test)]
mod tests {
    use ruma::room_id;
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_event_gets_the_id_of_its_room() {
        for (event, expected) in [
            (r#"{"type":"a"}"#, json!({"room_id": "!r:x", "type": "a"})),
            ("{}", json!({"room_id": "!r:x"})),
            ("{ }", json!({"room_id": "!r:x"})),
        ] {
            let event = RawValue::from_string(event.to_owned()).unwrap();
            let event: Value = serde_json::from_slice(&with_room(&event, room_id!("!r:x"))).unwrap();
            assert_eq!(event, expected);
        }
    }
}
