//! A room that the client has: what happened since its token.

use std::{collections::HashSet, sync::Arc};

use banyan_core::LogSeq;
use banyan_proto::rooms::RoomHead;
use banyan_rooms::RoomPlace;
use ruma::RoomId;

use super::{
    Context, Shown, bundles,
    context::room_id,
    room::RoomBody,
    state,
    summary::{self, Summary},
    timeline::{self, Known, Span, Window},
};
use crate::{
    error::SyncError,
    source::Source,
    tails::{
        RoomPlan,
        change::{Membership, RoomChange, RoomEvent},
    },
};

/// From the tail alone, but for bodies and lazy members that it lacks.
pub(super) async fn from_tail(context: &Context, plan: &RoomPlan, changes: &[Arc<RoomChange>]) -> Result<RoomBody, SyncError> {
    let id = room_id(&plan.room)?;
    let deltas = state::fold(changes);
    let mut window = window(context, &id, changes).await?;
    if !context.state_after {
        window.drop_overruled(|kind, key| deltas.get(&(kind, key)).map(|change| change.event_id.as_str()));
    }
    let shown_ids: HashSet<&str> = window.shown.iter().map(|shown| shown.event.stored.event_id.as_str()).collect();
    let changed = state::changed(context, changes, &window.shown);
    let changed = changed.into_iter().filter(|change| context.state_after || !shown_ids.contains(change.event_id.as_str()));
    let mut state = state::resolve(context, &id, changed).await?;
    let touched = summary::is_touched(&deltas);
    let needs_head = touched || (context.is_lazy() && !window.shown.is_empty());
    let head = if needs_head { head(context, plan, &id).await? } else { None };
    let mut summary = None;
    if let Some(head) = &head {
        if touched {
            summary = Some(summary::read(context, &id, head, plan.upto).await?);
        }
        add_lazy(context, plan, &id, head, (&mut state, &window.shown, summary.as_ref())).await?;
    }
    state::remember(context, &plan.room, &state, &window.shown);
    let end = plan.head.as_ref().map_or(RoomPlace::END, |head| RoomPlace::arrival(head.next_arrival - 1));
    let prev_batch = window.prev_batch(end);
    let relations = bundles::of(context, &id, &window, plan.upto).await?;
    Ok(RoomBody {
        state,
        limited: window.limited,
        prev_batch,
        timeline: window.shown,
        relations,
        summary,
        whole: false,
        ephemeral: Vec::new(),
        unread: None,
    })
}

/// From the rows, where the tail does not reach back to the token: the newest events, and every key of the current state that was
/// set since.
pub(super) async fn from_rows(context: &Context, plan: &RoomPlan, since: LogSeq) -> Result<RoomBody, SyncError> {
    let id = room_id(&plan.room)?;
    let Some(head) = head(context, plan, &id).await?.filter(|head| head.seq >= since.0) else { return Ok(RoomBody::unchanged()) };
    let span = Span { from: RoomPlace::END, since: Some(since), upto: plan.upto };
    let mut visibility = context.visibility(id.clone());
    let known = Known { head: &head, joined_by: None };
    let mut window = timeline::read(context, &id, span, &mut visibility, Some(known)).await?;
    let current = context.source.state(&id, &head, plan.upto, true).await?;
    if !context.state_after {
        window.drop_overruled(|kind, key| current.get(kind, key).map(|event| event.stored.event_id.as_str()));
    }
    let touched = current.events().any(|event| event.stored.seq >= since);
    let mut kept = current;
    if !context.state_after {
        state::rewind(context, &id, &mut kept, &window.shown).await?;
    }
    // What was rewound to may be older than the token: then the client has it.
    let mut state: Vec<Arc<RoomEvent>> = kept.events().filter(|event| event.stored.seq >= since).cloned().collect();
    sort(&mut state);
    let summary = if touched { Some(summary::of_state(context, &head, &kept)) } else { None };
    add_lazy(context, plan, &id, &head, (&mut state, &window.shown, summary.as_ref())).await?;
    state::remember(context, &plan.room, &state, &window.shown);
    let prev_batch = window.prev_batch(RoomPlace::arrival(head.next_arrival - 1));
    let relations = bundles::of(context, &id, &window, plan.upto).await?;
    Ok(RoomBody {
        state,
        limited: window.limited,
        prev_batch,
        timeline: window.shown,
        relations,
        summary,
        whole: false,
        ephemeral: Vec::new(),
        unread: None,
    })
}

/// Oldest first, so that responses do not depend on the order of a map.
pub(crate) fn sort(events: &mut [Arc<RoomEvent>]) {
    events.sort_by(|one, other| {
        let key = |event: &RoomEvent| (event.stored.seq, event.kind.clone(), event.state_key.clone());
        key(one).cmp(&key(other))
    });
}

/// The room's head as the tail has it, else its row.
pub(crate) async fn head(context: &Context, plan: &RoomPlan, id: &RoomId) -> Result<Option<Arc<RoomHead>>, SyncError> {
    match &plan.head {
        Some(head) => Ok(Some(head.clone())),
        None => Ok(context.source.rooms.head(id).await?.map(Arc::new)),
    }
}

/// Reads in one go the heads of rooms that the tails do not have.
pub(crate) async fn add_heads(source: &Source, plans: &mut [RoomPlan]) -> Result<(), SyncError> {
    let unknown = |plan: &&mut RoomPlan| plan.head.is_none() && plan.standing.membership == Membership::Join;
    let mut lacking: Vec<&mut RoomPlan> = plans.iter_mut().filter(unknown).collect();
    for some in lacking.chunks_mut(1_000) {
        let rooms: Vec<Arc<str>> = some.iter().map(|plan| plan.room.clone()).collect();
        let heads = source.rooms.heads(&rooms).await?;
        for (plan, head) in some.iter_mut().zip(heads) {
            plan.head = head.map(Arc::new);
        }
    }
    Ok(())
}

async fn add_lazy(
    context: &Context,
    plan: &RoomPlan,
    id: &RoomId,
    head: &RoomHead,
    (state, shown, summary): (&mut Vec<Arc<RoomEvent>>, &[Shown], Option<&Summary>),
) -> Result<(), SyncError> {
    if !context.is_lazy() {
        return Ok(());
    }
    let heroes = summary.and_then(|summary| summary.heroes.as_deref()).unwrap_or_default();
    let missing = state::lazy_missing(context, &plan.room, id, (head, plan.upto), (state, shown, heroes)).await?;
    state.extend(missing);
    Ok(())
}

/// The timeline since the token, of a room that the user was in all the time.
pub(crate) async fn window(context: &Context, id: &RoomId, changes: &[Arc<RoomChange>]) -> Result<Window, SyncError> {
    let mut window = Window::default();
    let filter = &context.filter.timeline;
    if !filter.takes_room(id.as_str()) {
        return Ok(window);
    }
    let gap = changes.iter().filter_map(|change| change.gap).max();
    let mut visibility = None;
    for cell in changes.iter().filter_map(|change| change.event.as_ref()) {
        let event = cell.get();
        if gap.is_some_and(|gap| event.stored.place.is_none_or(|place| place < gap)) || !context.wants(&event) {
            continue;
        }
        let mut membership = Membership::Join;
        if event.forked {
            // An event from a branch that did not know of the user's join, perhaps.
            let visibility = visibility.get_or_insert_with(|| context.visibility(id.to_owned()));
            let Some(seen) = visibility.sees(&event.stored).await? else { continue };
            membership = Membership::from_text(seen.as_str());
        }
        window.shown.push(Shown { event, membership });
    }
    window.limited = gap.is_some();
    window.limit(filter.live_limit);
    if window.limited {
        let events: Vec<_> = changes.iter().filter_map(|change| change.event.as_ref()).map(|event| event.get()).collect();
        window.related = bundles::targets(events.iter().map(|event| &event.stored));
    }
    Ok(window)
}
