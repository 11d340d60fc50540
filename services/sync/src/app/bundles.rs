//! Aggregations of child events in timelines that are cut short (client-server specification, "Aggregations of child events").

use std::collections::HashSet;

use banyan_core::LogSeq;
use banyan_rooms::{
    bundle::{Audience, Bundler, Bundles},
    reader::StoredEvent,
    relation::Relation,
};
use ruma::{OwnedEventId, RoomId};

use super::{Context, timeline::Window};
use crate::error::SyncError;

/// The aggregations of what a window shows. One that is not cut short has none: its client sees the children too.
///
/// A window reaches to the end of what is told, so whatever relates to an event in it came by while it was made: nothing is looked up for
/// events without relations.
pub(crate) async fn of(context: &Context, room: &RoomId, window: &Window, upto: LogSeq) -> Result<Bundles, SyncError> {
    if !window.limited || window.related.is_empty() {
        return Ok(Bundles::new());
    }
    let shown = window.shown.iter().map(|shown| &shown.event.stored);
    let parents: Vec<&StoredEvent> = shown.filter(|event| window.related.contains(&event.event_id)).collect();
    let audience = Audience {
        user_id: &context.user,
        device_id: Some(&context.device),
        ignored: &context.ignored,
        upto: Some(upto),
        with_room_id: false,
        now: context.now,
    };
    Ok(Bundler::new(&context.source.rooms, room, audience).bundle(&parents).await?)
}

/// The event that another relates to.
pub(super) fn target(event: &StoredEvent) -> Option<OwnedEventId> {
    Relation::of_pdu(&event.pdu).map(|relation| relation.event_id)
}

/// The events that others relate to.
pub(super) fn targets<'a>(events: impl Iterator<Item = &'a StoredEvent>) -> HashSet<OwnedEventId> {
    events.filter_map(target).collect()
}
