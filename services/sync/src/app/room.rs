//! One room's part of a response.

use std::sync::Arc;

use banyan_rooms::{RoomPlace, bundle::Bundles, reader::RoomUnread};

use super::{Context, Shown, Summary, approach, fresh, left, ongoing, receipts, unread};
use crate::{
    error::SyncError,
    tails::{
        RoomPlan,
        change::{Membership, RoomEvent},
    },
};

/// What a response says of a room.
#[derive(Debug)]
pub enum RoomAnswer {
    /// `rooms.join`.
    Joined(RoomBody),
    /// `rooms.leave`.
    Left(RoomBody),
    /// `rooms.invite`: stripped state, each JSON.
    Invited(Vec<Vec<u8>>),
    /// `rooms.knock`: the same.
    Knocked(Vec<Vec<u8>>),
}

/// A room that the user is in, or was.
#[derive(Debug)]
pub struct RoomBody {
    /// Events of `state` or `state_after`.
    pub state: Vec<Arc<RoomEvent>>,
    /// The timeline.
    pub timeline: Vec<Shown>,
    /// `m.relations` of events of the timeline.
    pub relations: Bundles,
    /// Whether something before the timeline was left out.
    pub limited: bool,
    /// The point just before the timeline.
    pub prev_batch: RoomPlace,
    /// Counts and heroes, where they may have changed.
    pub summary: Option<Summary>,
    /// The client is told of the room from its beginning.
    pub whole: bool,
    /// Of joined rooms, what is no part of their history: events, each JSON.
    pub ephemeral: Vec<Vec<u8>>,
    /// Of joined rooms, what is unread.
    pub unread: Option<RoomUnread>,
}

impl RoomBody {
    /// A room of which there is nothing to tell but account data.
    #[must_use]
    pub const fn unchanged() -> Self {
        Self {
            state: Vec::new(),
            timeline: Vec::new(),
            relations: Bundles::new(),
            limited: false,
            prev_batch: RoomPlace::END,
            summary: None,
            whole: false,
            ephemeral: Vec::new(),
            unread: None,
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let told = self.whole || self.limited || self.summary.is_some() || !self.ephemeral.is_empty() || self.unread.is_some();
        self.state.is_empty() && self.timeline.is_empty() && !told
    }

    /// Leaves the state events that the filter takes.
    pub(super) fn filter_state(&mut self, context: &Context, room: &str) {
        let filter = &context.filter.state;
        let takes_room = filter.takes_room(room);
        self.state.retain(|event| takes_room && filter.takes(event));
    }
}

/// What to say of a room; `None`: nothing.
///
/// # Errors
/// The store's.
pub(super) async fn answer(context: &Context, plan: &RoomPlan) -> Result<Option<RoomAnswer>, SyncError> {
    let room = &plan.room;
    if !context.filter.rooms.takes(room) {
        return Ok(None);
    }
    let moved = plan.since.is_none_or(|since| plan.standing.seq >= since);
    let answer = match plan.standing.membership {
        Membership::Join => Some(RoomAnswer::Joined(joined(context, plan).await?)),
        Membership::Invite if moved => approach::invited(context, plan).await?.map(RoomAnswer::Invited),
        Membership::Knock if moved => Some(RoomAnswer::Knocked(approach::knocked(context, plan)?)),
        Membership::Leave | Membership::Ban if moved && is_told(context, plan) => {
            Some(RoomAnswer::Left(left::answer(context, plan).await?))
        }
        _ => None,
    };
    Ok(answer.map(|mut answer| {
        if let RoomAnswer::Joined(body) | RoomAnswer::Left(body) = &mut answer {
            body.filter_state(context, room);
        }
        answer
    }))
}

async fn joined(context: &Context, plan: &RoomPlan) -> Result<RoomBody, SyncError> {
    let body = history(context, plan).await?;
    let ephemeral = receipts::events(context, plan, body.whole).await?;
    let mut body = RoomBody { ephemeral, ..body };
    body.unread = unread::tell(context, plan, body.is_empty()).await?;
    Ok(body)
}

async fn history(context: &Context, plan: &RoomPlan) -> Result<RoomBody, SyncError> {
    match (plan.since, &plan.changes) {
        (Some(_), Some(changes)) if !is_newly_joined(context, plan) => {
            if context.full_state {
                fresh::answer(context, plan, true).await
            } else {
                ongoing::from_tail(context, plan, changes).await
            }
        }
        (Some(since), None) if plan.standing.seq < since => ongoing::from_rows(context, plan, since).await,
        _ => fresh::answer(context, plan, false).await,
    }
}

/// Whether the user was out of the room at the token, or between it and now.
pub(crate) fn is_newly_joined(context: &Context, plan: &RoomPlan) -> bool {
    let mut own = plan.own.iter().filter_map(|change| change.membership_of(context.user.as_str())?.member.as_ref());
    own.any(|member| member.before != Membership::Join || member.now != Membership::Join)
}

/// Rooms that the user left are told when they are left; later only if asked for, or if the user did not leave by themselves.
fn is_told(context: &Context, plan: &RoomPlan) -> bool {
    if plan.since.is_some() {
        return true;
    }
    let own_doing = plan.standing.membership == Membership::Leave && plan.standing.sender == context.user.as_str();
    !plan.standing.forgotten && (context.filter.include_leave || !own_doing)
}
