//! Events by the time they say they were sent.

use ruma::RoomId;

use super::{Direction, RoomReader};
use crate::{
    ReadError,
    tables::event_time::{self, Start, Timed},
};

/// Days that are looked up at once.
const DAYS: usize = 64;

impl RoomReader {
    /// Events by their time (milliseconds), at or after `start`, or at or before it when going backwards; those of the same time in
    /// the order of the timeline. Answers at least one if there is any, and at most `limit`: go on behind the last.
    ///
    /// # Errors
    /// The store's.
    pub async fn events_by_time(
        &self,
        room_id: &RoomId,
        start: Start,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Timed>, ReadError> {
        let store = &*self.inner.store;
        let first = match start {
            Start::At(ts) | Start::Behind(ts, _) => event_time::day(ts),
            Start::Edge if direction == Direction::Forward => 0,
            Start::Edge => i64::MAX,
        };
        let mut from = first;
        loop {
            let days = event_time::days(store, room_id, from, direction, DAYS).await?;
            for day in &days {
                // Only the first day is begun in its middle.
                let start = if *day == first { start } else { Start::Edge };
                let events = event_time::scan(store, room_id, *day, start, direction, limit).await?;
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            match days.last() {
                Some(last) if days.len() == DAYS => from = last + if direction == Direction::Forward { 1 } else { -1 },
                _ => return Ok(Vec::new()),
            }
        }
    }
}
