//! What a response tells of one room.

use std::{collections::HashSet, sync::Arc};

use banyan_core::LogSeq;
use banyan_rooms::{RoomPlace, bundle::Bundles, reader::RoomUnread};

use super::{
    connection::{self, Id, RoomConfig, Sent},
    joined,
    lists::Matched,
    receipts, render,
    request::Form,
    state::{MEMBER, content_text},
};
use crate::{
    app::{Context, Shown, approach, left, ongoing, unread},
    error::SyncError,
    filter::Filter,
    tails::{
        RoomPlan,
        change::{Membership, RoomEvent},
    },
};

/// What is asked about a room.
pub(super) struct Ask<'a> {
    pub(super) plan: &'a RoomPlan,
    pub(super) config: &'a RoomConfig,
    /// What the client has of it.
    pub(super) sent: Option<&'a Sent>,
    /// The request's own position in the room's shard: what came later is live.
    pub(super) live_from: Option<LogSeq>,
    /// Whether it is a direct chat.
    pub(super) dm: bool,
    /// Whether its receipts are asked for.
    pub(super) receipts: bool,
}

/// Somebody to name a room after.
#[derive(Debug)]
pub(super) struct Hero {
    pub(super) user: String,
    pub(super) name: Option<String>,
    pub(super) avatar: Option<String>,
}

/// The part of a timeline that is told.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) events: Vec<Shown>,
    /// `m.relations` of some of them.
    pub(super) relations: Bundles,
    pub(super) limited: bool,
    pub(super) prev_batch: RoomPlace,
    pub(super) live: usize,
}

/// What is told of a room. `None`: nothing new; within `name` and `avatar`: there is none any more.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) membership: Membership,
    pub(super) initial: bool,
    pub(super) expanded: bool,
    pub(super) name: Option<Option<String>>,
    pub(super) avatar: Option<Option<String>>,
    pub(super) heroes: Option<Vec<Hero>>,
    pub(super) dm: Option<bool>,
    pub(super) required_state: Vec<Arc<RoomEvent>>,
    /// Types and keys of state that is there no more.
    pub(super) removed: Vec<(String, String)>,
    pub(super) timeline: Option<Timeline>,
    pub(super) joined: Option<u64>,
    pub(super) invited: Option<u64>,
    pub(super) bump_stamp: i64,
    pub(super) stripped_state: Option<Vec<Vec<u8>>>,
    /// Something happened, although nothing else of it is told.
    pub(super) bumped: bool,
    /// What is unread, if the user is in the room and the form of the response tells it.
    pub(super) unread: Option<RoomUnread>,
    /// Members who were sent, of which the client was not sure.
    pub(super) members: Members,
}

/// How what the client knows of members changes.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// What it knew counts no more.
    pub(super) cleared: bool,
    pub(super) sent: Vec<Id>,
    pub(super) gone: Vec<Id>,
}

impl Told {
    /// Whether the client need not be told.
    pub(super) fn is_empty(&self) -> bool {
        let timeline = self.timeline.as_ref().is_some_and(|timeline| !timeline.events.is_empty() || timeline.limited);
        let named = self.name.is_some() || self.avatar.is_some() || self.heroes.is_some();
        let told = self.initial || self.expanded || self.bumped || named || timeline || self.stripped_state.is_some();
        let told = told || self.unread.is_some();
        !told && self.dm.is_none() && self.required_state.is_empty() && self.removed.is_empty() && self.joined.is_none()
    }

    /// What the client has of the room afterwards.
    pub(super) fn after(&self, ask: &Ask<'_>) -> Sent {
        let mut sent = ask.sent.cloned().unwrap_or_default();
        if self.initial || self.members.cleared || !ask.config.required_state.is_lazy() {
            sent.members.clear();
        }
        sent.members.retain(|member| !self.members.gone.contains(member));
        sent.members.extend(&self.members.sent);
        let limited = self.timeline.as_ref().is_some_and(|timeline| timeline.limited);
        let wanted = ask.config.timeline_limit;
        // What came without a hole is behind what the client has already.
        let timeline_limit =
            if self.initial || self.expanded || limited || wanted == 0 { wanted } else { sent.config.timeline_limit };
        let config = RoomConfig { timeline_limit, required_state: ask.config.required_state.clone() };
        if *sent.config != config {
            sent.config = Arc::new(config);
        }
        let receipts = ask.receipts && self.membership == Membership::Join;
        Sent { until: None, dm: ask.dm, receipts, ..sent }
    }
}

/// A room that was looked at.
pub(super) struct Looked<'b, 'a> {
    pub(super) room: &'b Matched<'a>,
    /// What the client has of it afterwards.
    pub(super) after: Sent,
    /// What is told of it; `None`: nothing.
    pub(super) json: Option<Vec<u8>>,
    /// Its receipts, an event (JSON).
    pub(super) receipts: Option<Vec<u8>>,
}

/// Looks at a room that is asked for.
pub(super) async fn look<'a, 'b>(
    context: &Context,
    form: Form,
    room: &'b Matched<'a>,
    ask: Ask<'_>,
) -> Result<Looked<'b, 'a>, SyncError> {
    let context = Context { filter: Arc::new(Filter::of_timeline(ask.config.timeline_limit)), ..context.clone() };
    let mut told = tell(&context, &ask).await?;
    // The form of the proposal has no counts.
    if form == Form::Unstable && told.membership == Membership::Join {
        told.unread = unread::tell(&context, ask.plan, told.is_empty()).await?;
    }
    let receipts = receipts::tell(&context, &ask, &told).await?;
    let json = if told.is_empty() { None } else { Some(render::room(&context, form, &told, &room.lists)?) };
    Ok(Looked { room, after: told.after(&ask), json, receipts })
}

/// What to tell of a room.
async fn tell(context: &Context, ask: &Ask<'_>) -> Result<Told, SyncError> {
    let mut told = match ask.plan.standing.membership {
        Membership::Join => joined::tell(context, ask).await?,
        Membership::Invite => approached(ask, approach::invited(context, ask.plan).await?.unwrap_or_default()),
        Membership::Knock => approached(ask, approach::knocked(context, ask.plan)?),
        Membership::Leave | Membership::Ban => gone(context, ask).await?,
    };
    told.membership = ask.plan.standing.membership;
    let was = ask.sent.is_some_and(|sent| sent.dm);
    told.dm = if told.initial { ask.dm.then_some(true) } else { (ask.dm != was).then_some(ask.dm) };

    Ok(told)
}

/// An invite or knock: what came with it, if it is new to the client.
fn approached(ask: &Ask<'_>, stripped: Vec<Vec<u8>>) -> Told {
    let is_new = ask.plan.since.is_none_or(|since| ask.plan.standing.seq >= since);
    Told {
        initial: ask.plan.since.is_none(),
        bump_stamp: ask.plan.standing.at.0,
        stripped_state: is_new.then_some(stripped),
        ..Told::default()
    }
}

/// A room that the user is not in any more: what they may know, up to that.
async fn gone(context: &Context, ask: &Ask<'_>) -> Result<Told, SyncError> {
    let plan = ask.plan;
    let mut told = Told { initial: plan.since.is_none(), bump_stamp: plan.standing.at.0, ..Told::default() };
    if plan.since.is_some_and(|since| plan.standing.seq < since) {
        return Ok(told);
    }
    let mut body = left::answer(context, plan).await?;
    ongoing::sort(&mut body.state);
    if told.initial {
        let text = |kind, name| {
            let event = body.state.iter().find(|event| event.state() == Some((kind, "")))?;
            content_text(&event.stored.pdu, name)
        };
        told.name = text("m.room.name", "name").map(Some);
        told.avatar = text("m.room.avatar", "url").map(Some);
    }
    let required = &ask.config.required_state;
    let mut speakers: HashSet<&str> = HashSet::new();
    if required.is_lazy() {
        speakers.extend(body.timeline.iter().map(|shown| shown.event.sender.as_str()));
    }
    let wanted = |event: &Arc<RoomEvent>| {
        event.state().is_some_and(|(kind, key)| required.takes(kind, key) || (kind == MEMBER && speakers.contains(key)))
    };
    told.required_state = body.state.iter().filter(|event| wanted(event)).cloned().collect();
    told.members.cleared = true;
    told.bumped = true;
    if ask.config.timeline_limit > 0 {
        let live = live(&body.timeline, ask.live_from);
        let (limited, prev_batch) = (body.limited, body.prev_batch);
        told.timeline = Some(Timeline { events: body.timeline, relations: body.relations, limited, prev_batch, live });
    }
    Ok(told)
}

/// How many of the last events are new since the request's position.
pub(super) fn live(events: &[Shown], from: Option<LogSeq>) -> usize {
    let Some(from) = from else { return 0 };
    events.iter().rev().take_while(|shown| shown.event.stored.seq >= from).count()
}

/// The hash of a member's id.
pub(super) fn member_id(member: &str) -> Id {
    connection::id(member)
}
