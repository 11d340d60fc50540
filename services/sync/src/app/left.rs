//! A room that the user left, was kicked or banned from, or whose invite came to nothing: history up to that.

use std::sync::Arc;

use banyan_core::LogSeq;
use banyan_rooms::{RoomPlace, bundle::Bundles, reader::At};
use ruma::RoomId;

use super::{
    Context, Shown, bundles,
    context::room_id,
    ongoing,
    room::RoomBody,
    state,
    timeline::{self, Span, Window},
};
use crate::{
    error::SyncError,
    source::{self, StateMap},
    tails::{
        RoomPlan,
        change::{Membership, RoomChange, RoomEvent},
    },
};

/// What to say of a room that the user is not in any more.
pub(crate) async fn answer(context: &Context, plan: &RoomPlan) -> Result<RoomBody, SyncError> {
    let user = context.user.as_str();
    let own: Vec<(Membership, Membership)> = plan
        .own
        .iter()
        .filter_map(|change| change.membership_of(user)?.member.as_ref())
        .map(|member| (member.before, member.now))
        .collect();
    let Some(changes) = &plan.changes else { return from_rows(context, plan).await };
    let joined_at_token = own.first().is_some_and(|(before, _)| *before == Membership::Join);
    let joined_since = own.iter().any(|(before, now)| *now == Membership::Join && *before != Membership::Join);
    if joined_since {
        return from_rows(context, plan).await;
    }
    if joined_at_token {
        return from_tail(context, plan, changes).await;
    }
    Ok(last_event_alone(context, plan))
}

/// Whether the timeline may show an event, as far as the filter goes.
fn takes(context: &Context, plan: &RoomPlan, event: &RoomEvent) -> bool {
    let timeline = &context.filter.timeline;
    timeline.limit > 0 && timeline.takes_room(&plan.room) && context.wants(event)
}

/// Nothing but the event that ended it: all that somebody who was not in the room may see. Where the timeline does not take it, it
/// is in the state.
fn last_event_alone(context: &Context, plan: &RoomPlan) -> RoomBody {
    let event = plan.own.last().and_then(|change| change.event.as_ref()).map(|event| event.get());
    let prev_batch = event.as_ref().and_then(|event| event.stored.place).map_or(RoomPlace::END, RoomPlace::before);
    let membership = plan.standing.membership;
    let shown = event.clone().filter(|event| takes(context, plan, event));
    let state = event.filter(|_| context.state_after || shown.is_none()).into_iter().collect();
    let timeline = shown.into_iter().map(|event| Shown { event, membership }).collect();
    RoomBody {
        state,
        timeline,
        relations: Bundles::new(),
        limited: false,
        prev_batch,
        summary: None,
        whole: true,
        ephemeral: Vec::new(),
        unread: None,
    }
}

/// The user was in the room at the token and left since.
async fn from_tail(context: &Context, plan: &RoomPlan, changes: &[Arc<RoomChange>]) -> Result<RoomBody, SyncError> {
    let id = room_id(&plan.room)?;
    let user = context.user.as_str();
    let leaving = changes.iter().position(|change| {
        let member = change.membership_of(user).and_then(|state| state.member.as_ref());
        member.is_some_and(|member| member.now != Membership::Join)
    });
    let (until, after) = changes.split_at(leaving.map_or(changes.len(), |index| index + 1));
    let mut window = Window { limited: until.iter().any(|change| change.gap.is_some()), ..Window::default() };
    let gap = until.iter().filter_map(|change| change.gap).max();
    let mut visibility = context.visibility(id.clone());
    for cell in until.iter().filter_map(|change| change.event.as_ref()) {
        let event = cell.get();
        let hidden = gap.is_some_and(|gap| event.stored.place.is_none_or(|place| place < gap));
        let own = event.state() == Some(("m.room.member", user));
        if hidden || !takes(context, plan, &event) || (event.forked && visibility.sees(&event.stored).await?.is_none()) {
            continue;
        }
        let membership = if own { plan.standing.membership } else { Membership::Join };
        window.shown.push(Shown { event, membership });
    }
    if !context.state_after {
        let deltas = state::fold(until);
        window.drop_overruled(|kind, key| deltas.get(&(kind, key)).map(|change| change.event_id.as_str()));
    }
    // A kick and then a ban: the last word is the user's to know too.
    let last = after.iter().filter(|change| change.membership_of(user).is_some()).filter_map(|change| change.event.as_ref());
    let last: Vec<Arc<RoomEvent>> = last.map(|event| event.get()).collect();
    let taken = last.iter().filter(|event| takes(context, plan, event));
    window.shown.extend(taken.map(|event| Shown { event: event.clone(), membership: plan.standing.membership }));
    window.limit(context.filter.timeline.limit);
    let changed = state::changed(context, until, &window.shown);
    let shown = |id: &str| window.shown.iter().any(|shown| shown.event.stored.event_id == id);
    let changed = changed.into_iter().filter(|change| context.state_after || !shown(&change.event_id));
    let mut state = state::resolve(context, &id, changed).await?;
    if let Some(last) = last.last().filter(|last| context.state_after || !shown(last.stored.event_id.as_str())) {
        state.retain(|event| event.state() != last.state());
        state.push(last.clone());
    }
    let prev_batch = window.prev_batch(RoomPlace::END);
    if window.limited {
        let events: Vec<_> = until.iter().filter_map(|change| change.event.as_ref()).map(|event| event.get()).collect();
        window.related = bundles::targets(events.iter().map(|event| &event.stored));
    }
    let relations = bundles::of(context, &id, &window, plan.upto).await?;
    let limited = window.limited;
    Ok(RoomBody {
        state,
        limited,
        prev_batch,
        timeline: window.shown,
        relations,
        summary: None,
        whole: true,
        ephemeral: Vec::new(),
        unread: None,
    })
}

/// From the rows: the end of what the user may see, and the state when they left.
async fn from_rows(context: &Context, plan: &RoomPlan) -> Result<RoomBody, SyncError> {
    let id = room_id(&plan.room)?;
    let Some(place) = context.source.rooms.place_at(&id, plan.standing.seq).await? else {
        return Ok(last_event_alone(context, plan));
    };
    let span = Span { from: place, since: None, upto: LogSeq(plan.standing.seq.0 + 1) };
    let mut visibility = context.visibility(id.clone());
    let mut window = timeline::read(context, &id, span, &mut visibility, None).await?;
    let last = context.source.rooms.event_at_or_before(&id, place).await?;
    let mut current = StateMap::default();
    if let Some(last) = last.as_ref().filter(|_| plan.standing.previous == Membership::Join) {
        current = state_at(context, &id, At::Root(last.state_after.clone())).await?;
        if !context.state_after {
            window.drop_overruled(|kind, key| current.get(kind, key).map(|event| event.stored.event_id.as_str()));
        }
    }
    let own = |event: &RoomEvent| event.state() == Some(("m.room.member", context.user.as_str()));
    let mut end = None;
    if let Some(last) = last {
        let event = Arc::new(RoomEvent::new(last, true)?);
        let told = window.shown.iter().any(|shown| shown.event.stored.event_id == event.stored.event_id);
        if own(&event) && !told {
            if takes(context, plan, &event) {
                window.shown.push(Shown { event, membership: plan.standing.membership });
                window.limit(context.filter.timeline.limit);
            } else {
                end = Some(event);
            }
        }
    }
    if !context.state_after {
        state::rewind(context, &id, &mut current, &window.shown).await?;
        if plan.standing.previous != Membership::Join {
            current = StateMap::default();
        }
    }
    if let Some(end) = end {
        current.insert("m.room.member".to_owned(), context.user.to_string(), end);
    }
    if context.is_lazy() {
        state::lazy_whole(context, &mut current, &window.shown, &[]);
    }
    let mut state: Vec<Arc<RoomEvent>> = current.events().cloned().collect();
    ongoing::sort(&mut state);
    let prev_batch = window.prev_batch(place);
    // A client that had part of this timeline is told to drop it.
    let limited = window.limited || plan.since.is_some();
    let relations = bundles::of(context, &id, &window, span.upto).await?;
    Ok(RoomBody {
        state,
        limited,
        prev_batch,
        timeline: window.shown,
        relations,
        summary: None,
        whole: true,
        ephemeral: Vec::new(),
        unread: None,
    })
}

async fn state_at(context: &Context, id: &RoomId, at: At) -> Result<StateMap, SyncError> {
    let mut map = StateMap::default();
    for event in context.source.rooms.state(id, &at).await? {
        let (kind, key) = (event.event_type.clone(), event.state_key.clone());
        map.insert(kind, key, source::state_event(id, event)?);
    }
    Ok(map)
}
