//! The ends of a room's event graph.

use std::collections::BTreeSet;

use ruma::{EventId, OwnedEventId};

use crate::pdu::{MAX_DEPTH, Pdu};

/// The most ends that an event of our own refers to. The specification allows 20.
pub const MAX_PREV_EVENTS: usize = 10;

/// The ends after an accepted event took its place. `referenced`: an event that was placed before refers to it already, so it is none.
/// The newest end is the last.
#[must_use]
pub fn extremities_after(extremities: &[OwnedEventId], event: &Pdu, referenced: bool) -> Vec<OwnedEventId> {
    let merged: BTreeSet<&EventId> = event.prev_events().iter().map(|id| &**id).collect();
    let stays = |id: &&OwnedEventId| !merged.contains(&***id) && ***id != *event.event_id();
    let mut after: Vec<OwnedEventId> = extremities.iter().filter(stays).cloned().collect();
    if !referenced || after.is_empty() {
        after.push(event.event_id().to_owned());
    }
    after
}

/// The ends that the next event of our own refers to: the newest ones. It takes their place as one end, so older ones have their turn
/// with the events after it.
#[must_use]
pub fn prev_events(extremities: &[OwnedEventId]) -> Vec<OwnedEventId> {
    let from = extremities.len().saturating_sub(MAX_PREV_EVENTS);
    extremities[from..].to_vec()
}

/// The depth of an event after events of this largest depth.
#[must_use]
pub fn next_depth(depth: u64) -> u64 {
    depth.saturating_add(1).min(MAX_DEPTH)
}

/// Whether `prev_events` are exactly the ends.
#[must_use]
pub fn is_at_head(prev_events: &[OwnedEventId], extremities: &[OwnedEventId]) -> bool {
    let prevs: BTreeSet<&EventId> = prev_events.iter().map(|id| &**id).collect();
    prevs.len() == extremities.len() && extremities.iter().all(|id| prevs.contains(&**id))
}
