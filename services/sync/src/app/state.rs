//! Which state events a response sends beside a timeline.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use banyan_core::LogSeq;
use banyan_proto::rooms::RoomHead;
use ruma::RoomId;

use super::{Context, Shown};
use crate::{
    error::SyncError,
    source::StateMap,
    tails::change::{RoomChange, RoomEvent, StateChange},
};

/// A change of a key: its last one.
pub(crate) type Deltas<'a> = BTreeMap<(&'a str, &'a str), &'a StateChange>;

/// The last change of each key.
pub(crate) fn fold<'a>(changes: impl IntoIterator<Item = &'a Arc<RoomChange>>) -> Deltas<'a> {
    let changes = changes.into_iter().flat_map(|change| &change.state);
    changes.map(|change| ((change.kind.as_str(), change.key.as_str()), change)).collect()
}

/// The events of changes of state; bodies that the tail lacks are read. Removed keys are left out: sync has no way to tell them.
pub(crate) async fn resolve(
    context: &Context,
    room: &RoomId,
    changes: impl IntoIterator<Item = &StateChange>,
) -> Result<Vec<Arc<RoomEvent>>, SyncError> {
    let mut events = Vec::new();
    let mut bare = Vec::new();
    for change in changes {
        match &change.event {
            Some(event) => events.push(event.get()),
            None if change.event_id.is_empty() => {}
            None => bare.push(change.event_id.clone()),
        }
    }
    if !bare.is_empty() {
        events.extend(context.source.events(room, &bare).await?);
    }
    Ok(events)
}

/// What changed until the start of the timeline (`state`), or its end (`state_after`), in a room that the client has.
pub(super) fn changed<'a>(context: &Context, changes: &'a [Arc<RoomChange>], shown: &[Shown]) -> Vec<&'a StateChange> {
    let all = fold(changes);
    if context.state_after {
        return all.into_values().collect();
    }
    let start = shown.first().map_or(LogSeq(u64::MAX), |first| first.event.stored.seq);
    let before = fold(changes.iter().take_while(|change| change.seq < start));
    let in_timeline: HashSet<(&str, &str)> = shown.iter().filter_map(|shown| shown.event.state()).collect();
    let until_start = |(key, change): (&(&'a str, &'a str), &&'a StateChange)| {
        if in_timeline.contains(key) { before.get(key).copied() } else { Some(*change) }
    };
    all.iter().filter_map(until_start).collect()
}

/// Turns the state at the end of a timeline into the one at its start: what the timeline sets is undone.
pub(super) async fn rewind(context: &Context, room: &RoomId, state: &mut StateMap, shown: &[Shown]) -> Result<(), SyncError> {
    let mut undone: HashSet<(&str, &str)> = HashSet::new();
    let mut replaced = Vec::new();
    for Shown { event, .. } in shown {
        let Some(key) = event.state() else { continue };
        if undone.insert(key) {
            state.remove(key.0, key.1);
            replaced.extend(event.stored.replaces_state.as_ref().map(ToString::to_string));
        }
    }
    for event in context.source.events(room, &replaced).await? {
        if let Some((kind, key)) = event.state() {
            state.insert(kind.to_owned(), key.to_owned(), event.clone());
        }
    }
    Ok(())
}

/// Of a whole state, what lazy loading leaves: all but members, the reader, the timeline's senders and the heroes.
pub(super) fn lazy_whole(context: &Context, state: &mut StateMap, shown: &[Shown], heroes: &[String]) {
    let mut wanted: HashSet<&str> = shown.iter().map(|shown| shown.event.sender.as_str()).collect();
    wanted.insert(context.user.as_str());
    wanted.extend(heroes.iter().map(String::as_str));
    let unwanted: Vec<String> = state
        .of_type("m.room.member")
        .filter_map(|event| event.state_key.clone())
        .filter(|member| !wanted.contains(member.as_str()))
        .collect();
    unwanted.iter().for_each(|member| state.remove("m.room.member", member));
}

/// The members that a lazily loading client lacks to show a timeline and the heroes, beside those in `sent` and in the timeline.
pub(super) async fn lazy_missing(
    context: &Context,
    room: &Arc<str>,
    id: &RoomId,
    (head, upto): (&RoomHead, LogSeq),
    (sent, shown, heroes): (&[Arc<RoomEvent>], &[Shown], &[String]),
) -> Result<Vec<Arc<RoomEvent>>, SyncError> {
    let has = |member: &str| sent.iter().any(|event| event.state() == Some(("m.room.member", member)));
    // Members who speak before their own event in the timeline need what it replaced.
    let mut spoke: HashSet<&str> = HashSet::new();
    let mut changed: HashMap<&str, Option<String>> = HashMap::new();
    for Shown { event, .. } in shown {
        if let Some(("m.room.member", member)) = event.state().filter(|_| !context.state_after) {
            let replaced = event.stored.replaces_state.as_ref().filter(|_| spoke.contains(member));
            changed.entry(member).or_insert_with(|| replaced.map(ToString::to_string));
        }
        spoke.insert(&event.sender);
    }
    let redundant = context.filter.state.include_redundant_members;
    let mut current = Vec::new();
    let mut older = Vec::new();
    for member in spoke.iter().copied().chain(heroes.iter().map(String::as_str)) {
        if has(member) || current.contains(&member) || (!redundant && context.lazy.knows(room, member)) {
            continue;
        }
        match changed.get(member) {
            Some(replaced) => older.extend(replaced.clone()),
            None => current.push(member),
        }
    }
    let mut missing = context.source.events(id, &older).await?;
    if !current.is_empty() {
        let wanted: Vec<(&str, &str)> = current.iter().map(|member| ("m.room.member", *member)).collect();
        missing.extend(context.source.state_events(id, head, upto, &wanted).await?.into_iter().flatten());
    }
    Ok(missing)
}

/// Remembers which members a lazily loading client is sent, in state and timeline.
pub(super) fn remember(context: &Context, room: &Arc<str>, sent: &[Arc<RoomEvent>], shown: &[Shown]) {
    if !context.is_lazy() {
        return;
    }
    for event in sent.iter().chain(shown.iter().map(|shown| &shown.event)) {
        if let Some(("m.room.member", member)) = event.state() {
            context.lazy.sends(room, member);
        }
    }
}
