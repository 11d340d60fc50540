//! The snapshots that clients asked for before there was `/sync`, and that previews of rooms still use.

use banyan_core::ServiceError;
use banyan_rooms::{
    RoomPlace,
    reader::{Direction, TimelineQuery},
    stream_token::PlaceToken,
    visibility::Access,
};
use banyan_users::AccountData;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{EventId, OwnedRoomId, RoomId};
use serde_json::{Value, json, value::RawValue};

use super::{
    App, Requester,
    event_filter::EventFilter,
    event_stream::{Events, SyncRoom, with_room},
    sync::SyncWish,
};

/// Messages of a room, unless the client says how many.
const DEFAULT_LIMIT: usize = 10;
/// Messages of a room at most.
const MAX_LIMIT: usize = 100;
/// Rooms that are asked for an event at the same time.
const ROOMS_AT_ONCE: usize = 16;

/// Everything that a user sees.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) end: String,
    pub(crate) rooms: Vec<RoomSnapshot>,
    pub(crate) presence: Vec<Vec<u8>>,
    pub(crate) account_data: Vec<Vec<u8>>,
}

/// A room with its last messages and its state, events in the client format.
#[derive(Debug)]
pub(crate) struct RoomSnapshot {
    pub(crate) room_id: OwnedRoomId,
    /// `None` for who looks into a room that anybody may read.
    pub(crate) membership: Option<&'static str>,
    pub(crate) content: RoomContent,
    pub(crate) published: bool,
}

/// What of a room is shown.
#[derive(Debug)]
pub(crate) enum RoomContent {
    /// The invite.
    Invite(Vec<u8>),
    /// What members and former members see.
    Timeline { start: Option<String>, end: String, chunk: Vec<Vec<u8>>, state: Vec<Vec<u8>>, account_data: Vec<Vec<u8>> },
}

impl App {
    /// What a user sees in all their rooms; in those that they left, too, if they say so.
    ///
    /// # Errors
    /// The sync role's.
    pub(crate) async fn initial_sync(
        &self,
        requester: &Requester,
        limit: Option<usize>,
        archived: bool,
    ) -> Result<Snapshot, ServiceError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let filter = json!({"room": {"timeline": {"limit": limit}, "include_leave": archived}}).to_string();
        let wish = SyncWish { filter: Some(filter), use_state_after: true, ..SyncWish::default() };
        let body = self.whole_sync(requester, wish).await?;
        let end = body.next_batch;
        let mut rooms = Vec::new();
        for (room_id, room) in body.rooms.join {
            rooms.push(self.snapshot(requester, room_id, "join", room, end.clone()).await?);
        }
        for (room_id, room) in body.rooms.leave {
            let membership = self.membership_name(requester, &room_id).await?;
            // Later messages are not theirs to see.
            let end = self.end_of(requester, &room_id).await?;
            rooms.push(self.snapshot(requester, room_id, membership, room, end).await?);
        }
        for room_id in body.rooms.invite.into_keys() {
            let Some(invite) = self.own_member_event(requester, &room_id).await? else { continue };
            let published = self.is_published(requester, &room_id).await?;
            rooms.push(RoomSnapshot { room_id, membership: Some("invite"), content: RoomContent::Invite(invite), published });
        }
        Ok(Snapshot { end, rooms, presence: texts(&body.presence), account_data: texts(&body.account_data) })
    }

    async fn snapshot(
        &self,
        requester: &Requester,
        room_id: OwnedRoomId,
        membership: &'static str,
        room: SyncRoom,
        end: String,
    ) -> Result<RoomSnapshot, ServiceError> {
        let in_room = |events: &[Box<RawValue>]| events.iter().map(|event| with_room(event, &room_id)).collect();
        let content = RoomContent::Timeline {
            start: room.timeline.prev_batch,
            end,
            chunk: in_room(&room.timeline.events),
            state: in_room(&room.state_after.events),
            account_data: texts(&room.account_data),
        };
        let published = self.is_published(requester, &room_id).await?;
        Ok(RoomSnapshot { room_id, membership: Some(membership), content, published })
    }

    /// What a member, a former member or anybody else who may look into a room sees of it.
    ///
    /// # Errors
    /// M_FORBIDDEN for who may see nothing.
    pub(crate) async fn room_initial_sync(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        limit: Option<usize>,
    ) -> Result<RoomSnapshot, ServiceError> {
        let access = self.access(requester, room_id).await?;
        let membership = match access {
            Access::WorldReadable => None,
            _ => Some(self.membership_name(requester, room_id).await?),
        };
        let from = place_of(&access);
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let query = TimelineQuery { from, to: None, direction: Direction::Backward, limit };
        let filter = EventFilter::default().ignoring(self.ignored(requester).await?);
        let (mut events, next) = self.visible_events(requester, room_id, query, &filter).await?;
        events.reverse();
        let end = events.last().and_then(|visible| visible.event.place).unwrap_or(from);
        let content = RoomContent::Timeline {
            start: next.map(|next| PlaceToken(next).to_string()),
            end: PlaceToken(end).to_string(),
            chunk: self.render(requester, room_id, &events.iter().collect::<Vec<_>>()).await?,
            state: self.state(requester, room_id).await?,
            account_data: self.room_account_data(requester, room_id).await?,
        };
        let published = self.is_published(requester, room_id).await?;
        Ok(RoomSnapshot { room_id: room_id.to_owned(), membership, content, published })
    }

    /// An event of whichever of the caller's rooms has it, in the client format.
    ///
    /// # Errors
    /// M_NOT_FOUND for one that is in none of them or that they may not see.
    pub(crate) async fn event_of_any_room(&self, requester: &Requester, event_id: &EventId) -> Result<Vec<u8>, ServiceError> {
        let rooms = self.rooms.joined_rooms(&requester.user_id).await?;
        let look = |room_id: OwnedRoomId| async move { self.rooms.event(&room_id, event_id).await.map(|event| (room_id, event)) };
        let mut found = stream::iter(rooms).map(look).buffer_unordered(ROOMS_AT_ONCE);
        while let Some((room_id, event)) = found.try_next().await? {
            if event.is_some() {
                return self.event(requester, &room_id, event_id).await;
            }
        }
        Err(ServiceError::not_found("There is no such event, or you may not see it"))
    }

    async fn room_account_data(&self, requester: &Requester, room_id: &RoomId) -> Result<Vec<Vec<u8>>, ServiceError> {
        let data = self.users.room_account_data(requester.user_id.as_str(), room_id.as_str()).await?;
        let event = |data: &AccountData| {
            let kind = Value::from(data.kind.as_str());
            [format!("{{\"type\":{kind},\"content\":").as_bytes(), &data.content, b"}"].concat()
        };
        Ok(data.iter().map(event).collect())
    }

    async fn membership_name(&self, requester: &Requester, room_id: &RoomId) -> Result<&'static str, ServiceError> {
        let row = self.rooms.membership(&requester.user_id, room_id).await?;
        Ok(match row.as_ref().map(|row| row.membership.as_str()) {
            Some("join") => "join",
            Some("invite") => "invite",
            Some("ban") => "ban",
            _ => "leave",
        })
    }

    /// Where the caller's view of a room ends.
    async fn end_of(&self, requester: &Requester, room_id: &RoomId) -> Result<String, ServiceError> {
        Ok(PlaceToken(place_of(&self.rooms.access(room_id, &requester.user_id).await?)).to_string())
    }

    async fn is_published(&self, requester: &Requester, room_id: &RoomId) -> Result<bool, ServiceError> {
        let tenant = requester.user_id.server_name();
        Ok(self.rooms.is_published(tenant, room_id).await?)
    }
}

/// Where what may be seen ends.
const fn place_of(access: &Access) -> RoomPlace {
    match access {
        Access::Left(place) => *place,
        Access::Joined | Access::WorldReadable | Access::None => RoomPlace::END,
    }
}

fn texts(events: &Events) -> Vec<Vec<u8>> {
    events.events.iter().map(|event| event.get().as_bytes().to_vec()).collect()
}
