//! Paging through a room's timeline.

use std::collections::BTreeSet;

use banyan_core::ServiceError;
use banyan_rooms::{
    RoomPlace,
    reader::{At, Direction, TimelineQuery},
    stream_token::PlaceToken,
    visibility::{Access, VisibilityFilter, Visible},
};
use ruma::RoomId;
use serde::Deserialize;

use super::{App, Requester, event_filter::EventFilter};

/// Events of a page at most.
const MAX_LIMIT: usize = 1_000;
/// Events that are looked at for one page, however few of them a filter wants: the client goes on from where it ended.
const MAX_LOOKED_AT: usize = 5_000;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct MessagesWish {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) direction: Direction,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: EventFilter,
}

/// A page, its events in the client format.
#[derive(Debug)]
pub(crate) struct MessagesPage {
    pub(crate) start: String,
    pub(crate) end: Option<String>,
    pub(crate) chunk: Vec<Vec<u8>>,
    pub(crate) state: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct Sender {
    sender: String,
}

impl App {
    /// A page of the events that the caller may see.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_INVALID_PARAM for a token that is none.
    pub(crate) async fn messages(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        wish: MessagesWish,
    ) -> Result<MessagesPage, ServiceError> {
        let access = self.access(requester, room_id).await?;
        let from = match &wish.from {
            Some(token) => self.place_of(room_id, token).await?,
            None if wish.direction == Direction::Backward => RoomPlace::END,
            None => RoomPlace::START,
        };
        let to = match &wish.to {
            Some(token) => Some(self.place_of(room_id, token).await?),
            None => None,
        };
        let (from, to) = within(&access, wish.direction, from, to);
        let limit = wish.limit.or(wish.filter.limit).unwrap_or(10).clamp(1, MAX_LIMIT);
        let query = TimelineQuery { from, to, direction: wish.direction, limit };
        let (events, next) = self.visible_events(requester, room_id, query, &wish.filter).await?;
        let state = if wish.filter.lazy_load_members { self.senders(room_id, &events).await? } else { Vec::new() };
        let start = wish.from.unwrap_or_else(|| PlaceToken(start_of(&events, &query)).to_string());
        let chunk = self.render(requester, room_id, &events.iter().collect::<Vec<_>>()).await?;
        Ok(MessagesPage { start, end: next.map(|next| PlaceToken(next).to_string()), chunk, state })
    }

    /// Reads on until the page is full, the timeline ends, or enough was looked at.
    pub(super) async fn visible_events(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        query: TimelineQuery,
        filter: &EventFilter,
    ) -> Result<(Vec<Visible>, Option<RoomPlace>), ServiceError> {
        let mut events = Vec::new();
        if !filter.wants_room(room_id) {
            return Ok((events, None));
        }
        let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
        let (mut from, mut looked_at) = (query.from, 0);
        loop {
            let left = query.limit - events.len();
            let page = self.rooms.timeline(room_id, TimelineQuery { from, limit: left, ..query }).await?;
            looked_at += left;
            let mut wanted = page.events;
            wanted.retain(|event| filter.wants(&event.pdu));
            events.extend(visibility.filter(wanted).await?);
            match page.next {
                Some(next) if events.len() < query.limit && looked_at < MAX_LOOKED_AT => from = next,
                next => return Ok((events, next)),
            }
        }
    }

    /// The member events of those who sent the page's events, for clients that load members lazily.
    async fn senders(&self, room_id: &RoomId, events: &[Visible]) -> Result<Vec<Vec<u8>>, ServiceError> {
        let Some(newest) = events.iter().max_by_key(|visible| visible.event.place) else { return Ok(Vec::new()) };
        let senders: BTreeSet<String> = events.iter().filter_map(|visible| sender_of(&visible.event.pdu)).collect();
        let wanted: Vec<_> = senders.iter().map(|sender| ("m.room.member", sender.as_str())).collect();
        let found = self.rooms.state_events(room_id, &wanted, &At::Root(newest.event.state_after.clone())).await?;
        found.iter().flatten().map(|event| self.render_state(event, room_id)).collect()
    }
}

/// Who sent a stored event.
pub(super) fn sender_of(pdu: &[u8]) -> Option<String> {
    serde_json::from_slice::<Sender>(pdu).ok().map(|event| event.sender)
}

/// Who has left sees nothing that came after.
fn within(access: &Access, direction: Direction, from: RoomPlace, to: Option<RoomPlace>) -> (RoomPlace, Option<RoomPlace>) {
    match (access, direction) {
        (Access::Left(left), Direction::Backward) => (from.min(*left), to),
        (Access::Left(left), Direction::Forward) => (from, Some(to.map_or(*left, |to| to.min(*left)))),
        _ => (from, to),
    }
}

/// Where a page begins that was asked for without a token.
fn start_of(events: &[Visible], query: &TimelineQuery) -> RoomPlace {
    let first = events.first().and_then(|visible| visible.event.place);
    match query.direction {
        Direction::Backward => first.unwrap_or(query.from),
        Direction::Forward => query.from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_left_sees_nothing_that_came_after() {
        let left = Access::Left(RoomPlace::arrival(10));
        let end = RoomPlace::END;
        assert_eq!(within(&left, Direction::Backward, end, None), (RoomPlace::arrival(10), None));
        assert_eq!(within(&left, Direction::Backward, RoomPlace::arrival(3), None), (RoomPlace::arrival(3), None));
        assert_eq!(within(&left, Direction::Forward, RoomPlace::START, None), (RoomPlace::START, Some(RoomPlace::arrival(10))));
        assert_eq!(within(&left, Direction::Forward, RoomPlace::START, Some(end)).1, Some(RoomPlace::arrival(10)));
        assert_eq!(within(&Access::Joined, Direction::Backward, end, None), (end, None));
    }
}
