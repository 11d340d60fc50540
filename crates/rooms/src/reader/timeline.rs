//! Timelines, in pages.

use banyan_core::LogSeq;
use ruma::RoomId;

use super::{RoomReader, StoredEvent, events};
use crate::{
    ReadError, RoomPlace,
    tables::{gap, timeline},
};

/// Which way to read a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Newest first: events at or before `from`.
    #[default]
    Backward,
    /// Oldest first: events after `from`.
    Forward,
}

/// Which part of a timeline to read. Places as bounds stand for the point just after them.
#[derive(Clone, Copy, Debug)]
pub struct TimelineQuery {
    /// Where to begin: [`RoomPlace::END`] for the newest, [`RoomPlace::START`] for the oldest.
    pub from: RoomPlace,
    /// Where to stop, if before the timeline's end: events after it (backward) or up to it (forward).
    pub to: Option<RoomPlace>,
    /// Which way.
    pub direction: Direction,
    /// At most so many events (1 to 1,000).
    pub limit: usize,
}

/// Events of a timeline.
#[derive(Clone, Debug, Default)]
pub struct TimelinePage {
    /// In the order of the query's direction. Soft-failed ones are left out.
    pub events: Vec<StoredEvent>,
    /// Where the next page begins; `None` at the end of what is known (or of `to`).
    pub next: Option<RoomPlace>,
    /// The newest place of the page before which history is missing: other servers know more events there. The events say so each
    /// ([`StoredEvent::gap_before`]).
    pub gap: Option<RoomPlace>,
}

/// Gaps that are looked for in one page.
const MAX_GAPS: usize = 1_000;

/// Probes per step of the search for a log position.
const PROBES: i64 = 16;

impl RoomReader {
    /// A page of a room's timeline.
    ///
    /// # Errors
    /// The store's.
    pub async fn timeline(&self, room_id: &RoomId, query: TimelineQuery) -> Result<TimelinePage, ReadError> {
        match self.extent(room_id).await? {
            Some(extent) => self.timeline_within(room_id, extent, query).await,
            None => Ok(TimelinePage::default()),
        }
    }

    /// The same, where the lowest and highest arrival index of the room are known.
    ///
    /// # Errors
    /// The store's.
    pub async fn timeline_within(
        &self,
        room_id: &RoomId,
        (first, last): (i64, i64),
        query: TimelineQuery,
    ) -> Result<TimelinePage, ReadError> {
        let reverse = query.direction == Direction::Backward;
        let (after, upto) = match query.direction {
            Direction::Backward => (query.to.unwrap_or(RoomPlace::START), query.from),
            Direction::Forward => (query.from, query.to.unwrap_or(RoomPlace::END)),
        };
        let lowest = timeline::bucket(after.arrival.max(first));
        let highest = timeline::bucket(upto.arrival.min(last));
        let limit = query.limit.clamp(1, 1_000);
        let mut page = TimelinePage::default();
        let mut bucket = if reverse { highest } else { lowest };
        while (lowest..=highest).contains(&bucket) {
            let store = &*self.inner.store;
            let bounds = narrowed(&page, (after, upto), reverse);
            let (rows, more) = timeline::scan_bucket(store, room_id, bucket, bounds, reverse, limit - page.events.len()).await?;
            for (place, row) in rows {
                page.next = Some(if reverse { place.before() } else { place });
                if !row.soft_failed {
                    page.events.push(events::placed(room_id, place, row)?);
                }
            }
            if page.events.len() >= limit {
                break;
            }
            if !more {
                bucket += if reverse { -1 } else { 1 };
            }
        }
        if page.events.len() < limit {
            page.next = None;
        }
        self.mark_gaps(room_id, &mut page, (after, upto), reverse).await?;
        Ok(page)
    }

    /// The last event at or before a place that was accepted.
    ///
    /// # Errors
    /// The store's.
    pub async fn event_at_or_before(&self, room_id: &RoomId, place: RoomPlace) -> Result<Option<StoredEvent>, ReadError> {
        let query = TimelineQuery { from: place, to: None, direction: Direction::Backward, limit: 1 };
        Ok(self.timeline(room_id, query).await?.events.pop())
    }

    /// The place of the last event that the log's entries up to and with `seq` gave to a room; `None` if they gave it none.
    ///
    /// # Errors
    /// The store's.
    pub async fn place_at(&self, room_id: &RoomId, seq: LogSeq) -> Result<Option<RoomPlace>, ReadError> {
        let Some(head) = self.head(room_id).await? else { return Ok(None) };
        // The answer lies in `low - 1 ..= high - 1`: everything below `low` is old enough, nothing from `high` on is.
        let (mut low, mut high) = (0, head.next_arrival);
        if high > 0 && head.seq <= seq.0 {
            return Ok(Some(RoomPlace::arrival(high - 1)));
        }
        while low < high {
            let step = ((high - low) / (PROBES + 1)).max(1);
            let probes: Vec<i64> = (0..PROBES).map(|n| low + n * step).take_while(|probe| *probe < high).collect();
            let places: Vec<RoomPlace> = probes.iter().copied().map(RoomPlace::arrival).collect();
            let rows = timeline::multi_get(&*self.inner.store, room_id, &places).await?;
            for (probe, row) in probes.into_iter().zip(rows) {
                // A row that is not there yet belongs to an entry that is being applied: newer than any position in use.
                if row.is_some_and(|row| row.seq <= seq.0) {
                    low = low.max(probe + 1);
                } else {
                    high = high.min(probe);
                }
            }
        }
        Ok((low > 0).then(|| RoomPlace::arrival(low - 1)))
    }

    /// The lowest and highest arrival index of a room.
    async fn extent(&self, room_id: &RoomId) -> Result<Option<(i64, i64)>, ReadError> {
        Ok(self.head(room_id).await?.map(|head| (head.first_arrival, head.next_arrival - 1)))
    }

    /// Notes before which of a page's events history is missing, and the newest such place.
    async fn mark_gaps(
        &self,
        room_id: &RoomId,
        page: &mut TimelinePage,
        (after, upto): (RoomPlace, RoomPlace),
        reverse: bool,
    ) -> Result<(), ReadError> {
        let bounds = match page.next {
            // Just before the last event that was read, which may have a gap before it.
            Some(next) if reverse => (next.max(after), upto),
            Some(next) => (after, next),
            None => (after, upto),
        };
        let gaps = gap::scan(&*self.inner.store, room_id, bounds, MAX_GAPS).await?;
        page.gap = gaps.first().map(|(place, _)| *place);
        for event in &mut page.events {
            event.gap_before |= gaps.iter().any(|(place, _)| event.place == Some(*place));
        }
        Ok(())
    }
}

/// What is left of a range once a page's rows were read.
fn narrowed(page: &TimelinePage, (after, upto): (RoomPlace, RoomPlace), reverse: bool) -> (RoomPlace, RoomPlace) {
    match page.next {
        None => (after, upto),
        Some(next) if reverse => (after, upto.min(next)),
        Some(next) => (after.max(next), upto),
    }
}
