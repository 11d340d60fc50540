//! A room that the client does not have, or wants to have anew: its state, and the end of its timeline.

use std::sync::Arc;

use banyan_rooms::RoomPlace;

use super::{
    Context, bundles,
    context::room_id,
    ongoing,
    room::RoomBody,
    state, summary,
    timeline::{self, Known, Span},
};
use crate::{
    error::SyncError,
    tails::{RoomPlan, change::RoomEvent},
};

/// The room from its beginning; `known`: the client has it, and wants all state but only the timeline since its token.
pub(super) async fn answer(context: &Context, plan: &RoomPlan, known: bool) -> Result<RoomBody, SyncError> {
    let id = room_id(&plan.room)?;
    if !known {
        context.lazy.missed(&plan.room);
    }
    let Some(head) = ongoing::head(context, plan, &id).await? else {
        return Err(SyncError::Internal(format!("the room {id} has members and no head")));
    };
    let mut current = context.source.state(&id, &head, plan.upto, true).await?;
    let joined_by = current.get("m.room.member", context.user.as_str()).map(|event| event.stored.event_id.clone());
    let at_hand = Known { head: &head, joined_by: joined_by.as_ref().map(|event_id| event_id.as_str()) };
    let since = plan.since.filter(|_| known);
    let span = Span { from: RoomPlace::END, since, upto: plan.upto };
    let mut visible = context.visibility(id.clone());
    let mut window = timeline::read(context, &id, span, &mut visible, Some(at_hand)).await?;
    if !context.state_after {
        window.drop_overruled(|kind, key| current.get(kind, key).map(|event| event.stored.event_id.as_str()));
    }
    let summary = summary::of_state(context, &head, &current);
    if !context.state_after {
        state::rewind(context, &id, &mut current, &window.shown).await?;
    }
    if context.is_lazy() {
        let heroes = summary.heroes.as_deref().unwrap_or_default();
        state::lazy_whole(context, &mut current, &window.shown, heroes);
    }
    let mut state: Vec<Arc<RoomEvent>> = current.events().cloned().collect();
    ongoing::sort(&mut state);
    state::remember(context, &plan.room, &state, &window.shown);
    let prev_batch = window.prev_batch(RoomPlace::arrival(head.next_arrival - 1));
    let relations = bundles::of(context, &id, &window, plan.upto).await?;
    // Who joins a room between two syncs may hold older parts of its timeline, with a hole before this one.
    let limited = window.limited || (plan.since.is_some() && !known);
    Ok(RoomBody {
        state,
        limited,
        prev_batch,
        timeline: window.shown,
        relations,
        summary: Some(summary),
        whole: true,
        ephemeral: Vec::new(),
        unread: None,
    })
}
