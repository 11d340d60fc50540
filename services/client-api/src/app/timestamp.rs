//! Jumping to a date.

use banyan_core::ServiceError;
use banyan_rooms::{
    reader::Direction,
    tables::event_time::{Start, Timed},
    visibility::VisibilityFilter,
};
use ruma::RoomId;

use super::{App, Requester, event_filter::EventFilter};

/// Events per read.
const PAGE: usize = 50;
/// Events that are looked at before it is said that there is none the caller may see.
const MAX_LOOKED_AT: usize = 2_000;

impl App {
    /// The event nearest to a time (milliseconds), at or after it or at or before it, that the caller may see.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_NOT_FOUND if there is none.
    pub(crate) async fn event_by_time(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        ts: i64,
        direction: Direction,
    ) -> Result<Timed, ServiceError> {
        self.access(requester, room_id).await?;
        let filter = EventFilter::default().ignoring(self.ignored(requester).await?);
        let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
        let (mut start, mut looked_at) = (Start::At(ts), 0);
        while looked_at < MAX_LOOKED_AT {
            let times = self.rooms.events_by_time(room_id, start, direction, PAGE).await?;
            let Some(last) = times.last() else { break };
            start = Start::Behind(last.ts, last.place);
            looked_at += times.len();
            let ids: Vec<&str> = times.iter().map(|timed| timed.event_id.as_str()).collect();
            let events = self.rooms.events(room_id, &ids).await?;
            for (timed, event) in times.into_iter().zip(events) {
                if let Some(event) = event
                    && filter.wants(&event.pdu)
                    && visibility.sees(&event).await?.is_some()
                {
                    return Ok(timed);
                }
            }
        }
        let direction = if direction == Direction::Forward { "forward" } else { "backward" };
        Err(ServiceError::not_found(format!("There is no event from {ts} in {direction} direction")))
    }
}
