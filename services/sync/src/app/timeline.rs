//! The part of a timeline that is shown.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use banyan_core::LogSeq;
use banyan_proto::rooms::{RoomHead, StateRoot};
use banyan_rooms::{RoomPlace, visibility::VisibilityFilter};
use ruma::{OwnedEventId, RoomId};

use super::{Context, bundles};
use crate::{
    error::SyncError,
    tails::change::{Membership, RoomEvent},
};

/// How many pages are read for one room before a filter that lets little through gets a shorter timeline.
const MAX_PAGES: usize = 5;

/// An event, and the reader's membership at it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The event.
    pub event: Arc<RoomEvent>,
    /// For `unsigned.membership`.
    pub membership: Membership,
}

/// What of a timeline is shown.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// In timeline order.
    pub(crate) shown: Vec<Shown>,
    /// Something before them was left out.
    pub(crate) limited: bool,
    /// Where what came before them ends, if anything was looked at.
    pub(crate) before: Option<RoomPlace>,
    /// The events that some event since the first shown one relates to.
    pub(crate) related: HashSet<OwnedEventId>,
}

impl Window {
    /// Keeps the last `limit` events.
    pub(crate) fn limit(&mut self, limit: usize) {
        if self.shown.len() > limit {
            self.shown.drain(..self.shown.len() - limit);
            self.limited = true;
        }
    }

    /// Drops everything up to the last state event that is not what `current` says of its key: a client that lays the timeline over
    /// `state` would end with the wrong state. Only forks of the event graph make such events; they are then found by paging back.
    pub(crate) fn drop_overruled<'a>(&mut self, current: impl Fn(&str, &str) -> Option<&'a str>) {
        let mut last: HashMap<(&str, &str), usize> = HashMap::new();
        for (index, shown) in self.shown.iter().enumerate() {
            if let Some(key) = shown.event.state() {
                last.insert(key, index);
            }
        }
        let overruled = last
            .into_iter()
            .filter(|((kind, key), index)| current(kind, key) != Some(self.shown[*index].event.stored.event_id.as_str()));
        if let Some(cut) = overruled.map(|(_, index)| index).max() {
            self.before = self.shown.get(cut).and_then(|shown| shown.event.stored.place).or(self.before);
            self.shown.drain(..=cut);
            self.limited = true;
        }
    }

    /// `prev_batch`: the point just before the first event, or where looking ended.
    pub(crate) fn prev_batch(&self, end: RoomPlace) -> RoomPlace {
        let first = self.shown.first().and_then(|shown| shown.event.stored.place).map(RoomPlace::before);
        first.or(self.before).unwrap_or(end)
    }
}

/// Which part of a stored timeline to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Where to begin, backwards.
    pub(crate) from: RoomPlace,
    /// Only events that were placed at or after this position.
    pub(crate) since: Option<LogSeq>,
    /// Only events that were placed before this position.
    pub(crate) upto: LogSeq,
}

/// What saves a joined reader of a timeline most of the reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The room's head.
    pub(crate) head: &'a RoomHead,
    /// The event by which the reader is in the room.
    pub(crate) joined_by: Option<&'a str>,
}

impl Known<'_> {
    /// Whether the reader is joined in the state after an event, as far as that can be told without reading: it is the current state, or
    /// a recent change of it says so. Who is joined sees everything.
    fn is_joined(self, user: &str, after: &StateRoot) -> bool {
        if self.head.current.as_ref().is_some_and(|current| current.root == after.root && current.deltas == after.deltas) {
            return true;
        }
        let own = after.deltas.iter().rev().find(|delta| delta.r#type == "m.room.member" && delta.state_key == user);
        own.is_some_and(|own| self.joined_by == Some(own.event_id.as_str()))
    }
}

/// Reads the end of a stored timeline, as far as the reader may see it and wants to. `known` of a reader who is in the room.
pub(crate) async fn read(
    context: &Context,
    room: &RoomId,
    span: Span,
    visibility: &mut VisibilityFilter,
    known: Option<Known<'_>>,
) -> Result<Window, SyncError> {
    let limit = context.filter.timeline.limit;
    let mut window = Window::default();
    if limit == 0 || !context.filter.timeline.takes_room(room.as_str()) {
        window.limited = limit == 0;
        return Ok(window);
    }
    let mut newest_first: Vec<Shown> = Vec::new();
    let mut from = span.from;
    'pages: for _ in 0..MAX_PAGES {
        let extent = known.map(|known| (known.head.first_arrival, known.head.next_arrival - 1));
        let page = context.source.timeline(room, extent, from, limit.saturating_add(1).clamp(20, 1_000)).await?;
        for stored in page.events {
            if stored.seq >= span.upto {
                continue;
            }
            let place = stored.place.unwrap_or(RoomPlace::START);
            if page.gap.is_some_and(|gap| place < gap) {
                window.limited = true;
                break 'pages;
            }
            if span.since.is_some_and(|since| stored.seq < since) {
                break 'pages;
            }
            if newest_first.len() >= limit {
                window.limited = true;
                break 'pages;
            }
            window.before = Some(place.before());
            window.related.extend(bundles::target(&stored));
            let joined = known.is_some_and(|known| known.is_joined(context.user.as_str(), &stored.state_after));
            let membership = if joined && stored.is_shown() {
                Some(Membership::Join)
            } else {
                visibility.sees(&stored).await?.map(|membership| Membership::from_text(membership.as_str()))
            };
            let Some(membership) = membership else { continue };
            let event = RoomEvent::new(stored, true)?;
            if context.wants(&event) {
                newest_first.push(Shown { event: Arc::new(event), membership });
            }
        }
        if page.gap.is_some() {
            window.limited = true;
            break;
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
        window.limited |= newest_first.len() >= limit;
        if window.limited {
            break;
        }
    }
    newest_first.reverse();
    window.shown = newest_first;
    Ok(window)
}
