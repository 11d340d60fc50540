//! What a response tells of a room that the user is in.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use banyan_core::LogSeq;
use banyan_proto::rooms::RoomHead;
use banyan_rooms::RoomPlace;
use ruma::OwnedRoomId;

use super::{
    rooms::{Ask, Hero, Members, Timeline, Told, live, member_id},
    state::{self, MEMBER, Moment, content_text},
};
use crate::{
    app::{
        Context, bundles,
        context::room_id,
        ongoing,
        room::is_newly_joined,
        state::{fold, resolve},
        summary,
        timeline::{self, Known, Span, Window},
    },
    error::SyncError,
    source::StateMap,
    tails::change::{RoomChange, RoomEvent},
};

/// Members of a room, about, from which on the rows of all of them are not read to find out who changed.
const MANY_MEMBERS: u64 = 500;

/// Where what happened is taken from.
#[derive(Clone, Copy)]
enum Since<'a> {
    /// The client has nothing.
    Nothing,
    /// The changes that the tail has.
    Changes(&'a [Arc<RoomChange>]),
    /// The rows, as far as they were written since.
    Rows(LogSeq),
}

/// A room while it is looked at.
struct Look<'a> {
    context: &'a Context,
    ask: &'a Ask<'a>,
    id: OwnedRoomId,
    head: Arc<RoomHead>,
    since: Since<'a>,
}

/// What every room has, where it is told or needed.
#[derive(Default)]
struct Basics {
    name: Option<Arc<RoomEvent>>,
    avatar: Option<Arc<RoomEvent>>,
    own: Option<Arc<RoomEvent>>,
}

/// What to tell of a room.
pub(super) async fn tell(context: &Context, ask: &Ask<'_>) -> Result<Told, SyncError> {
    let plan = ask.plan;
    let id = room_id(&plan.room)?;
    let Some(head) = ongoing::head(context, plan, &id).await? else {
        return Err(SyncError::Internal(format!("the room {id} has members and no head")));
    };
    let since = match (plan.since, &plan.changes) {
        (Some(_), Some(changes)) if !is_newly_joined(context, plan) => Since::Changes(changes),
        (Some(since), None) if head.seq < since.0 => Since::Changes(&[]),
        (Some(since), None) if plan.standing.seq < since => Since::Rows(since),
        _ => Since::Nothing,
    };
    Look { context, ask, id, head, since }.tell().await
}

impl Look<'_> {
    async fn tell(&self) -> Result<Told, SyncError> {
        let limit = self.ask.config.timeline_limit;
        let initial = matches!(self.since, Since::Nothing);
        let expanded = !initial && self.ask.sent.is_some_and(|sent| sent.config.timeline_limit < limit);
        let basics = self.basics(initial || expanded).await?;
        let mut window = self.window(expanded, basics.own.as_ref()).await?;
        window.limited |= limit > 0 && self.loses_members();
        let gappy = !initial && window.limited && limit > 0;
        let mut told = Told { initial, expanded, bump_stamp: self.bump_stamp(), bumped: self.is_bumped(), ..Told::default() };
        self.name(&basics, &mut told).await?;
        let mut state = self.state(gappy).await?;
        told.removed = self.removed(gappy, &state).await?;
        told.members = self.lazy(&mut state, &window, gappy).await?;
        told.required_state = state.events().cloned().collect();
        ongoing::sort(&mut told.required_state);
        if limit > 0 {
            let prev_batch = window.prev_batch(RoomPlace::arrival(self.head.next_arrival - 1));
            let live = live(&window.shown, self.ask.live_from);
            let relations = bundles::of(self.context, &self.id, &window, self.ask.plan.upto).await?;
            told.timeline = Some(Timeline { events: window.shown, relations, limited: window.limited, prev_batch, live });
        }
        Ok(told)
    }

    fn moment(&self) -> Moment<'_> {
        Moment { room: &self.id, head: &self.head, upto: self.ask.plan.upto }
    }

    /// Whether a client that loads members lazily is told of a hole, so that it forgets them: who changed would have to be found among
    /// the rows of very many.
    fn loses_members(&self) -> bool {
        let many = self.head.current_buckets > 1 || self.head.joined + self.head.invited > MANY_MEMBERS;
        many && self.ask.config.required_state.is_lazy() && matches!(self.since, Since::Rows(_))
    }

    /// A room in which nothing of the kind ever happened stands where the user came into it.
    fn bump_stamp(&self) -> i64 {
        if self.head.bump_stamp > 0 { self.head.bump_stamp } else { self.ask.plan.standing.at.0 }
    }

    /// Whether something arrived that a client without a timeline should hear of.
    fn is_bumped(&self) -> bool {
        match self.since {
            Since::Changes(changes) => self.ask.config.timeline_limit == 0 && changes.iter().any(|change| change.event.is_some()),
            Since::Nothing | Since::Rows(_) => true,
        }
    }

    /// Whether a key of the state may have changed; `None` for all members.
    fn touched(&self, key: Option<&str>) -> bool {
        match self.since {
            Since::Nothing | Since::Rows(_) => true,
            Since::Changes(changes) => changes.iter().flat_map(|change| &change.state).any(|change| match key {
                Some(kind) => change.kind == kind && change.key.is_empty(),
                None => change.kind == MEMBER,
            }),
        }
    }

    async fn basics(&self, needed: bool) -> Result<Basics, SyncError> {
        let touched = [Some("m.room.name"), Some("m.room.avatar"), None].into_iter().any(|key| self.touched(key));
        if !needed && !touched {
            return Ok(Basics::default());
        }
        let wanted = [("m.room.name", ""), ("m.room.avatar", ""), (MEMBER, self.context.user.as_str())];
        let mut found = state::events(self.context, self.moment(), &wanted).await?.into_iter();
        let mut next = || found.next().flatten();
        Ok(Basics { name: next(), avatar: next(), own: next() })
    }

    /// Name, avatar, counts and heroes, where they may have changed.
    async fn name(&self, basics: &Basics, told: &mut Told) -> Result<(), SyncError> {
        let text = |event: &Option<Arc<RoomEvent>>, name| event.as_ref().and_then(|event| content_text(&event.stored.pdu, name));
        let (name, avatar) = (text(&basics.name, "name"), text(&basics.avatar, "url"));
        let members = self.touched(None);
        let is_named = name.is_some();
        // In what is told from the beginning, what is left out is not there.
        let field = |value: Option<String>, kind| (self.touched(Some(kind)) && !(told.initial && value.is_none())).then_some(value);
        let (name, avatar) = (field(name, "m.room.name"), field(avatar, "m.room.avatar"));
        if members || name.is_some() {
            let summary = summary::summarise(self.context, &self.head, is_named);
            if members {
                (told.joined, told.invited) = (Some(summary.joined), Some(summary.invited));
            }
            if let Some(heroes) = summary.heroes {
                told.heroes = Some(self.heroes(heroes).await?);
            }
        }
        (told.name, told.avatar) = (name, avatar);
        Ok(())
    }

    async fn heroes(&self, users: Vec<String>) -> Result<Vec<Hero>, SyncError> {
        let wanted: Vec<(&str, &str)> = users.iter().map(|user| (MEMBER, user.as_str())).collect();
        let events = state::events(self.context, self.moment(), &wanted).await?;
        let text = |event: &Option<Arc<RoomEvent>>, name| event.as_ref().and_then(|event| content_text(&event.stored.pdu, name));
        let hero = |(user, event): (&String, &Option<Arc<RoomEvent>>)| Hero {
            user: user.clone(),
            name: text(event, "displayname"),
            avatar: text(event, "avatar_url"),
        };
        Ok(users.iter().zip(&events).map(hero).collect())
    }

    /// The timeline since then; of what is told anew or of which more is wanted, its end.
    async fn window(&self, expanded: bool, own: Option<&Arc<RoomEvent>>) -> Result<Window, SyncError> {
        if self.ask.config.timeline_limit == 0 {
            return Ok(Window::default());
        }
        let since = match self.since {
            Since::Changes(changes) if !expanded => return ongoing::window(self.context, &self.id, changes).await,
            Since::Rows(since) if !expanded => Some(since),
            _ => None,
        };
        let span = Span { from: RoomPlace::END, since, upto: self.ask.plan.upto };
        let joined_by = own.map(|event| event.stored.event_id.as_str());
        let known = Known { head: &self.head, joined_by };
        let mut visibility = self.context.visibility(self.id.clone());
        timeline::read(self.context, &self.id, span, &mut visibility, Some(known)).await
    }

    /// The state that is asked for, as far as the client lacks it. Where members are lazy, that is every change of them, unless the
    /// client is told of a hole: then it forgets them.
    async fn state(&self, gappy: bool) -> Result<StateMap, SyncError> {
        let required = &self.ask.config.required_state;
        let members = required.is_lazy() && !gappy;
        let mut map = match self.since {
            Since::Nothing => return state::read(self.context, self.moment(), required, false).await,
            Since::Changes(changes) => {
                let wanted = |kind: &str, key: &str| required.takes(kind, key) || (members && kind == MEMBER);
                let changed = fold(changes).into_iter().filter(|((kind, key), _)| wanted(kind, key)).map(|(_, change)| change);
                let mut map = StateMap::default();
                let events = resolve(self.context, &self.id, changed).await?;
                events.iter().for_each(|event| state::insert(&mut map, event));
                map
            }
            Since::Rows(since) => {
                let mut map = StateMap::default();
                let all = state::read(self.context, self.moment(), required, members).await?;
                all.events().filter(|event| event.stored.seq >= since).for_each(|event| state::insert(&mut map, event));
                map
            }
        };
        let Some(sent) = self.ask.sent.filter(|sent| !required.is_within(&sent.config.required_state)) else { return Ok(map) };
        let all = state::read(self.context, self.moment(), required, false).await?;
        let had = |event: &Arc<RoomEvent>| event.state().is_some_and(|(kind, key)| sent.config.required_state.takes(kind, key));
        all.events().filter(|event| !had(event)).for_each(|event| state::insert(&mut map, event));
        Ok(map)
    }

    /// What was removed of the state that is asked for. Where rows have to tell, they do so of what is asked for by its key.
    async fn removed(&self, gappy: bool, state: &StateMap) -> Result<Vec<(String, String)>, SyncError> {
        let required = &self.ask.config.required_state;
        let owned = |(kind, key): (&str, &str)| (kind.to_owned(), key.to_owned());
        match self.since {
            Since::Nothing => Ok(Vec::new()),
            Since::Changes(changes) => {
                let lazy = required.is_lazy() && !gappy;
                let gone = fold(changes).into_iter().filter(|(_, change)| change.event_id.is_empty()).map(|(key, _)| key);
                Ok(gone.filter(|(kind, key)| required.takes(kind, key) || (lazy && *kind == MEMBER)).map(owned).collect())
            }
            Since::Rows(_) => {
                let untold = required.exact().into_iter().filter(|(kind, key)| state.get(kind, key).is_none());
                let untold: Vec<(&str, &str)> = untold.collect();
                let found = state::events(self.context, self.moment(), &untold).await?;
                Ok(untold.into_iter().zip(found).filter(|(_, event)| event.is_none()).map(|(key, _)| owned(key)).collect())
            }
        }
    }

    /// Adds the members that a lazily loading client needs to show the timeline.
    async fn lazy(&self, state: &mut StateMap, window: &Window, gappy: bool) -> Result<Members, SyncError> {
        let mut members = Members::default();
        if !self.ask.config.required_state.is_lazy() {
            return Ok(members);
        }
        members.cleared = gappy;
        let none = HashSet::new();
        let known = self.ask.sent.map_or(&none, |sent| if gappy || self.is_initial() { &none } else { &sent.members });
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for shown in &window.shown {
            wanted.insert(&shown.event.sender);
            wanted.extend(shown.event.state().filter(|(kind, _)| *kind == MEMBER).map(|(_, member)| member));
        }
        let lacking =
            wanted.into_iter().filter(|member| state.get(MEMBER, member).is_none() && !known.contains(&member_id(member)));
        let lacking: Vec<(&str, &str)> = lacking.map(|member| (MEMBER, member)).collect();
        for event in state::events(self.context, self.moment(), &lacking).await?.into_iter().flatten() {
            state::insert(state, &event);
        }
        members.sent = state.of_type(MEMBER).filter_map(|event| event.state_key.as_deref()).map(member_id).collect();
        if let Since::Changes(changes) = self.since {
            let removed = fold(changes).into_iter().filter(|((kind, _), change)| *kind == MEMBER && change.event_id.is_empty());
            members.gone = removed.map(|((_, member), _)| member_id(member)).collect();
        }
        Ok(members)
    }

    const fn is_initial(&self) -> bool {
        matches!(self.since, Since::Nothing)
    }
}
