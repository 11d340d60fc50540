//! Following one room without being in it (client-server API, "Room Previews").

use std::time::Duration;

use banyan_core::ServiceError;
use banyan_rooms::{
    RoomPlace,
    reader::{Direction, TimelineQuery},
    stream_token::PlaceToken,
    visibility::Access,
};
use ruma::RoomId;

use super::{App, Requester, event_filter::EventFilter, event_stream::EventChunk};

/// How often the room is looked at. Such clients are few: nothing else in this process would follow a room for them.
const INTERVAL: Duration = Duration::from_secs(1);
/// Events of one answer at most.
const LIMIT: usize = 100;

impl App {
    /// What happened in a room since a token, from now on without one; waits for it if there is nothing yet.
    ///
    /// # Errors
    /// M_FORBIDDEN for who may not look into the room, M_INVALID_PARAM for a token that is none.
    pub(crate) async fn peek(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        from: Option<String>,
        timeout_ms: u64,
    ) -> Result<EventChunk, ServiceError> {
        let give_up = self.clock.monotonic() + Duration::from_millis(timeout_ms.min(self.config.max_sync_timeout_ms));
        let place = match &from {
            Some(token) => self.place_of(room_id, token).await?,
            None => self.end_of_timeline(room_id).await?,
        };
        let start = from.unwrap_or_else(|| PlaceToken(place).to_string());
        let filter = EventFilter::default().ignoring(self.ignored(requester).await?);
        loop {
            let to = match self.access(requester, room_id).await? {
                Access::Left(left) => Some(left),
                _ => None,
            };
            let query = TimelineQuery { from: place, to, direction: Direction::Forward, limit: LIMIT };
            let (events, next) = self.visible_events(requester, room_id, query, &filter).await?;
            let left = give_up.saturating_sub(self.clock.monotonic());
            // Who has left waits for nothing.
            if !events.is_empty() || left.is_zero() || to.is_some() {
                let seen = events.last().and_then(|visible| visible.event.place);
                let end = PlaceToken(next.or(seen).unwrap_or(place)).to_string();
                let chunk = self.render(requester, room_id, &events.iter().collect::<Vec<_>>()).await?;
                return Ok(EventChunk { start, end, chunk });
            }
            tokio::time::sleep(left.min(INTERVAL)).await;
        }
    }

    /// The place of a room's last event.
    async fn end_of_timeline(&self, room_id: &RoomId) -> Result<RoomPlace, ServiceError> {
        let last = self.rooms.event_at_or_before(room_id, RoomPlace::END).await?;
        Ok(last.and_then(|event| event.place).unwrap_or(RoomPlace::START))
    }
}
