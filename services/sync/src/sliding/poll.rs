//! A sliding sync from beginning to end.

use std::{collections::BTreeMap, collections::HashSet, sync::Arc};

use banyan_core::{Clock, LogSeq};
use banyan_rooms::stream_token::StreamToken;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{
    account_data,
    connection::{Connection, Id, Sent},
    facts::FactsCache,
    lists::{self, Listing, Matched, View},
    notes::NotesCache,
    position::Position,
    render,
    request::{Request, Wish},
    rooms::{self, Ask, Told},
    table::{Connections, Found, Owner},
};
use crate::{
    admission::Admission,
    app::{Context, sync::is_revoked},
    config::SyncConfig,
    error::SyncError,
    filter::Filter,
    lazy::Session,
    metrics::Metrics,
    render::Sink,
    source::Source,
    tails::{Glance, Glimpse, Tails, change::Membership},
    trace,
};

/// Answers sliding syncs.
#[derive(Debug)]
pub struct Sliding {
    tails: Arc<Tails>,
    source: Source,
    connections: Connections,
    facts: FactsCache,
    notes: NotesCache,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
    config: SyncConfig,
    metrics: Metrics,
    draining: CancellationToken,
}

/// What a response says.
struct Answer {
    token: StreamToken,
    counts: BTreeMap<String, usize>,
    rooms: Vec<(String, Vec<u8>)>,
    account_data: account_data::Told,
    causes: Vec<String>,
}

impl Answer {
    fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.account_data.is_empty()
    }
}

/// What answers share with syncs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tails: Arc<Tails>,
    pub(crate) source: Source,
    pub(crate) admission: Arc<Admission>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: SyncConfig,
    pub(crate) metrics: Metrics,
    pub(crate) draining: CancellationToken,
}

impl Sliding {
    /// Answers beside the syncs that it shares all this with.
    pub(crate) fn new(shared: Shared) -> Self {
        let Shared { tails, source, admission, clock, config, metrics, draining } = shared;
        let connections = Connections::new(source.rooms.store().clone(), clock.clone());
        let (facts, notes) = (FactsCache::new(), NotesCache::new());
        Self { tails, source, connections, facts, notes, admission, clock, config, metrics, draining }
    }

    /// Answers a request into `sink`.
    ///
    /// # Errors
    /// See [`SyncError`]. What was written to the sink before is void.
    pub async fn sync(&self, request: Request, sink: &mut Sink) -> Result<(), SyncError> {
        let _slot = self.admission.connect()?;
        let wish = Wish::parse(&request.body, &request.user, &self.config)?;
        let owner = Owner { user: &request.user, device: &request.device, conn: &wish.conn };
        let Some(text) = &request.pos else {
            let _turn = self.admission.initial().await?;
            let found = self.connections.begin(owner).await?;
            return self.poll(&request, &wish, (found, None), sink).await;
        };
        let Position { base, token } = Position::parse(text, self.tails.shards())?;
        let found = self.connections.load(owner, base).await?;
        self.tails.reach(request.user.as_str(), &token, self.config.catch_up.0).await?;
        self.poll(&request, &wish, (found, Some(token)), sink).await
    }

    /// Waits until there is something to tell, or the time is over. A new connection is answered at once.
    async fn poll(
        &self,
        request: &Request,
        wish: &Wish,
        (mut found, mut since): (Found, Option<StreamToken>),
        sink: &mut Sink,
    ) -> Result<(), SyncError> {
        let user = request.user.as_str();
        let timeout = request.timeout.min(self.config.max_timeout.0);
        let mut over = std::pin::pin!(tokio::time::sleep(timeout));
        let mut is_over = since.is_none() || timeout.is_zero();
        loop {
            let load = || self.source.load(&request.user);
            let warmth = self.tails.warm(user, self.config.catch_up.0, load).await?;
            let mut woken = std::pin::pin!(warmth.user().woken());
            woken.as_mut().enable();
            let Some(glance) = self.tails.glance(user, since.as_ref()) else { continue };
            if glance.user.as_ref().is_some_and(|changes| is_revoked(&request.device, &request.token_hash, changes)) {
                return Err(SyncError::Revoked);
            }
            let answer = self.answer(request, wish, (&mut found.connection, since.as_ref()), glance).await?;
            if is_over || !answer.is_empty() {
                self.metrics.answered(if answer.is_empty() { "sliding_empty" } else { "sliding" });
                return self.finish(request, wish, (found, answer), sink).await;
            }
            // Nothing was told: the connection, as it is at the new position, is good for that one, too.
            since = Some(answer.token);
            tokio::select! {
                () = woken => {}
                () = &mut over => is_over = true,
                () = self.draining.cancelled() => is_over = true,
            }
        }
    }

    /// Keeps the connection, if it changed, and writes the response.
    async fn finish(
        &self,
        request: &Request,
        wish: &Wish,
        (mut found, answer): (Found, Answer),
        sink: &mut Sink,
    ) -> Result<(), SyncError> {
        let base = match found.base {
            Some(base) if !found.connection.is_changed() => base,
            _ => {
                let owner = Owner { user: &request.user, device: &request.device, conn: &wish.conn };
                self.connections.save(owner, &mut found).await?
            }
        };
        let pos = Position { base, token: answer.token }.to_string();
        let mut extensions = Vec::new();
        if !answer.account_data.is_empty() {
            extensions.push(("account_data", render::account_data(&answer.account_data)));
        }
        let lists = answer.counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        sink.caused_by(answer.causes);
        render::Body { pos: &pos, lists, rooms: &answer.rooms, extensions }.write(sink).await
    }

    /// What there is to tell at a moment, and the connection after it was told.
    async fn answer(
        &self,
        request: &Request,
        wish: &Wish,
        (connection, since): (&mut Connection, Option<&StreamToken>),
        mut glance: Glance,
    ) -> Result<Answer, SyncError> {
        let user = request.user.as_str();
        let notes = self.notes.get(&self.source, &request.user, &glance).await?;
        let rooms = lists::with_ids(&mut glance.rooms);
        let view = View { user, glance: &glance, since, connection, notes: &notes };
        let listing = view.list(wish, &self.source, &self.facts, &rooms).await?;
        let looked: Vec<(&Matched<'_>, Option<LogSeq>)> = listing.matched.iter().filter_map(|room| look(&view, room)).collect();
        let passed = passed(&view, &rooms, &listing);
        let asked: Vec<(&Glimpse, Option<LogSeq>)> = looked.iter().map(|(room, since)| (room.glimpse, *since)).collect();
        let plans = self.tails.plans_until(user, &glance.token, &asked);
        let causes = trace::causes(&plans);
        let _answering = trace::answer(&causes);
        let context = self.context(request, &glance);
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let told: Vec<_> = looked
            .iter()
            .zip(&plans)
            .map(|((room, _), plan)| {
                let live_from = since.map(|since| since.room(room.glimpse.shard));
                let (sent, dm) = (connection.room(&room.id), notes.is_direct(&room.glimpse.room));
                tell(&context, room, Ask { plan, config: &room.config, sent, live_from, dm })
            })
            .collect();
        let told: Vec<(Id, Sent, Option<Vec<u8>>)> = stream::iter(told).buffered(self.config.parallel_rooms).try_collect().await?;
        let mut answered = Vec::new();
        for ((room, _), (id, sent, json)) in looked.iter().zip(told) {
            connection.set(id, sent);
            answered.extend(json.map(|json| (room.glimpse.room.to_string(), json)));
        }
        passed.keep(connection, &listing);
        let scope = wish.extensions.account_data();
        let changes = (&glance, since.map(|since| since.user));
        let account_data = account_data::tell((&self.source, &request.user), scope, &listing, changes, connection).await?;
        Ok(Answer { counts: listing.counts, rooms: answered, account_data, causes, token: glance.token })
    }

    fn context(&self, request: &Request, glance: &Glance) -> Context {
        Context {
            source: self.source.clone(),
            filter: Arc::default(),
            user: request.user.clone(),
            device: request.device.clone(),
            lazy: Arc::new(Session::default()),
            state_after: true,
            full_state: false,
            ignored: glance.ignored.clone(),
            now: self.clock.now(),
        }
    }
}

/// Rooms that no rule asks for now.
struct Passed {
    /// Something happened in them: from where on the client lacks it.
    behind: Vec<(Id, LogSeq)>,
    /// The user left them, and the client knows.
    over: HashSet<Id>,
}

fn passed(view: &View<'_>, rooms: &[(Id, Glimpse)], listing: &Listing<'_>) -> Passed {
    let matched: HashSet<Id> = listing.matched.iter().map(|room| room.id).collect();
    let mut passed = Passed { behind: Vec::new(), over: HashSet::new() };
    for (id, glimpse) in rooms.iter().filter(|(id, _)| !matched.contains(id)) {
        let Some(sent) = view.connection.room(id) else { continue };
        let since = view.has_until(glimpse, sent);
        if has_news(glimpse, since) {
            if sent.until.is_none() {
                passed.behind.push((*id, since));
            }
        } else if glimpse.standing.membership == Membership::Leave && glimpse.standing.sender == view.user {
            passed.over.insert(*id);
        }
    }
    passed
}

impl Passed {
    fn keep(self, connection: &mut Connection, listing: &Listing<'_>) {
        for (id, since) in self.behind {
            if let Some(sent) = connection.room(&id) {
                let sent = Sent { until: Some(since), ..sent.clone() };
                connection.set(id, sent);
            }
        }
        connection.forget(|id| self.over.contains(id));
        connection.shrink(&listing.matched.iter().map(|room| room.id).collect());
    }
}

/// Whether there may be something to tell of a room since a position.
fn has_news(glimpse: &Glimpse, since: LogSeq) -> bool {
    let joined = glimpse.standing.membership == Membership::Join;
    glimpse.standing.seq >= since || (joined && glimpse.has_news(since))
}

/// Whether to look at a room that is asked for, and since when.
fn look<'b, 'a>(view: &View<'_>, room: &'b Matched<'a>) -> Option<(&'b Matched<'a>, Option<LogSeq>)> {
    let Some(sent) = view.connection.room(&room.id) else { return Some((room, None)) };
    let since = view.has_until(room.glimpse, sent);
    let config = &room.config;
    let wider = sent.config.timeline_limit < config.timeline_limit || !config.required_state.is_within(&sent.config.required_state);
    let wider = wider && room.glimpse.standing.membership == Membership::Join;
    let dm = view.notes.is_direct(&room.glimpse.room) != sent.dm;
    (has_news(room.glimpse, since) || wider || dm).then_some((room, Some(since)))
}

/// What is told of a room, rendered unless there is nothing, and what the client has of it afterwards.
async fn tell(context: &Context, room: &Matched<'_>, ask: Ask<'_>) -> Result<(Id, Sent, Option<Vec<u8>>), SyncError> {
    let context = Context { filter: Arc::new(Filter::of_timeline(ask.config.timeline_limit)), ..context.clone() };
    let told: Told = rooms::tell(&context, &ask).await?;
    let json = if told.is_empty() { None } else { Some(render::room(&context, &told, &room.lists)?) };
    Ok((room.id, told.after(&ask), json))
}
