//! The events around an event.

use std::collections::BTreeSet;

use banyan_core::ServiceError;
use banyan_rooms::{
    RoomPlace,
    reader::{At, Direction, TimelineQuery},
    stream_token::PlaceToken,
    visibility::{Access, VisibilityFilter, Visible},
};
use ruma::{EventId, RoomId};

use super::{App, Requester, event_filter::EventFilter, messages::sender_of};

/// Events on both sides together, at most.
pub(crate) const MAX_LIMIT: usize = 100;

/// An event with what is around it, in the client format.
#[derive(Debug)]
pub(crate) struct ContextPage {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) before: Vec<Vec<u8>>,
    pub(crate) event: Vec<u8>,
    pub(crate) after: Vec<Vec<u8>>,
    pub(crate) state: Vec<Vec<u8>>,
}

/// The events on both sides of an event, nearest first, and where the paging goes on beyond them.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) before: Vec<Visible>,
    pub(crate) after: Vec<Visible>,
    pub(crate) start: RoomPlace,
    pub(crate) end: RoomPlace,
}

impl App {
    /// An event, what is before and after it, and the state at the end of that, as far as the caller may see them.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_NOT_FOUND for an event that does not exist or that they may not see.
    pub(crate) async fn context(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &EventId,
        limit: Option<usize>,
        filter: &EventFilter,
    ) -> Result<ContextPage, ServiceError> {
        let event = self.visible_event(requester, room_id, event_id).await?;
        let limit = limit.unwrap_or(10).min(MAX_LIMIT);
        let sides = (limit / 2, limit - limit / 2);
        let Surroundings { before, after, start, end } = self.surroundings(requester, room_id, &event, sides, filter).await?;
        let shown = || before.iter().chain([&event]).chain(&after);
        let last = after.last().unwrap_or(&event);
        let root = &last.event.state_after;
        let state = if filter.lazy_load_members {
            let senders: BTreeSet<String> = shown().filter_map(|visible| sender_of(&visible.event.pdu)).collect();
            self.rooms.state_with_members(room_id, root, &senders).await?
        } else {
            self.rooms.state(room_id, &At::Root(root.clone())).await?
        };
        let state = state.iter().filter(|event| filter.wants(&event.pdu));
        let state = state.map(|event| self.render_state(event, room_id)).collect::<Result<_, _>>()?;
        let mut rendered = self.render(requester, room_id, &shown().collect::<Vec<_>>()).await?;
        let after = rendered.split_off(before.len() + 1);
        let event = rendered.pop().unwrap_or_default();
        let (start, end) = (PlaceToken(start).to_string(), PlaceToken(end).to_string());
        Ok(ContextPage { start, end, before: rendered, event, after, state })
    }

    /// An event that the caller may see.
    ///
    /// # Errors
    /// As [`App::context`].
    pub(crate) async fn visible_event(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> Result<Visible, ServiceError> {
        if let Some(event) = self.rooms.event(room_id, event_id).await? {
            let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
            if let Some(membership) = visibility.sees(&event).await?
                && !self.withholds(requester, &event.pdu).await?
            {
                return Ok(Visible { event, membership });
            }
        }
        // Who may not look into the room is told no more than that.
        self.access(requester, room_id).await?;
        Err(ServiceError::not_found("There is no such event, or you may not see it"))
    }

    /// The events around one, at most so many before and after it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn surroundings(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event: &Visible,
        (before, after): (usize, usize),
        filter: &EventFilter,
    ) -> Result<Surroundings, ServiceError> {
        let place = event.event.place.unwrap_or(RoomPlace::END);
        // Who has left sees nothing that came after.
        let end = match self.rooms.access(room_id, &requester.user_id).await? {
            Access::Left(left) => Some(left.max(place)),
            _ => None,
        };
        let query = |from, to, direction, limit| TimelineQuery { from, to, direction, limit };
        let back = query(place.before(), None, Direction::Backward, before);
        let (before, start) = self.side(requester, room_id, back, filter).await?;
        let forth = query(place, end, Direction::Forward, after);
        let (after, end) = self.side(requester, room_id, forth, filter).await?;
        Ok(Surroundings { before, after, start, end })
    }

    /// One side of an event, and where it ends.
    async fn side(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        query: TimelineQuery,
        filter: &EventFilter,
    ) -> Result<(Vec<Visible>, RoomPlace), ServiceError> {
        if query.limit == 0 {
            return Ok((Vec::new(), query.from));
        }
        let (events, next) = self.visible_events(requester, room_id, query, filter).await?;
        let last = events.last().and_then(|visible| visible.event.place);
        let end = match query.direction {
            Direction::Backward => last.map(RoomPlace::before),
            Direction::Forward => last,
        };
        Ok((events, next.or(end).unwrap_or(query.from)))
    }
}
