//! A sliding sync from beginning to end.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use banyan_core::{Clock, LogSeq};
use banyan_rooms::stream_token::StreamToken;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{
    account_data,
    connection::Connection,
    extensions,
    facts::FactsCache,
    lists::{self, Matched, View},
    news::{look, passed},
    notes::NotesCache,
    position::Position,
    render,
    request::{Request, Wish},
    rooms::{self, Ask},
    table::{Connections, Found, Owner},
    to_device::Unread,
};
use crate::{
    admission::Admission,
    app::{
        Context, device_lists, ongoing,
        patience::Patience,
        sync::ended,
        to_device::{Recipient, ToDevice},
        typing,
    },
    config::SyncConfig,
    error::SyncError,
    lazy::Session,
    metrics::Metrics,
    render::Sink,
    source::Source,
    tails::{Glance, Glimpse, Plan, Tails, change::Membership},
    trace,
};

/// Answers sliding syncs.
#[derive(Debug)]
pub struct Sliding {
    tails: Arc<Tails>,
    source: Source,
    connections: Connections,
    to_device: Arc<ToDevice>,
    facts: FactsCache,
    notes: NotesCache,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
    config: SyncConfig,
    metrics: Metrics,
    draining: CancellationToken,
}

/// A request while it is answered.
struct Asked<'a> {
    request: &'a Request,
    wish: &'a Wish,
    /// Where the device is in its queue, if it wants its messages.
    unread: Option<Unread>,
}

impl Asked<'_> {
    fn owner(&self) -> Owner<'_> {
        Owner { user: &self.request.user, device: &self.request.device, conn: &self.wish.conn }
    }

    fn recipient(&self) -> Recipient<'_> {
        Recipient { user: &self.request.user, device: &self.request.device }
    }
}

/// What a response says beside the rooms, which were written as they were made.
struct Answer {
    token: StreamToken,
    counts: BTreeMap<String, usize>,
    extensions: extensions::Told,
}

/// What answers share with syncs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tails: Arc<Tails>,
    pub(crate) source: Source,
    pub(crate) to_device: Arc<ToDevice>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: SyncConfig,
    pub(crate) metrics: Metrics,
    pub(crate) draining: CancellationToken,
}

impl Sliding {
    /// Answers beside the syncs that it shares all this with.
    pub(crate) fn new(shared: Shared) -> Self {
        let Shared { tails, source, to_device, admission, clock, config, metrics, draining } = shared;
        let connections = Connections::new(source.rooms.store().clone(), clock.clone());
        let (facts, notes) = (FactsCache::new(), NotesCache::new());
        Self { tails, source, connections, to_device, facts, notes, admission, clock, config, metrics, draining }
    }

    /// Answers a request into `sink`.
    ///
    /// # Errors
    /// See [`SyncError`]. What was written to the sink before is void.
    pub async fn sync(&self, request: Request, sink: &mut Sink) -> Result<(), SyncError> {
        let _slot = self.admission.connect()?;
        let wish = Wish::parse(&request.body, &request.user, &self.config)?;
        let mut asked = Asked { request: &request, wish: &wish, unread: None };
        let Some(text) = &request.pos else {
            let _turn = self.admission.initial().await?;
            asked.unread = self.unread(&asked).await?;
            let found = self.connections.begin(asked.owner()).await?;
            return self.poll(&asked, (found, None), sink).await;
        };
        let Position { base, token } = Position::parse(text, self.tails.shards())?;
        let found = self.connections.load(asked.owner(), base).await?;
        self.tails.reach(request.user.as_str(), &token, self.config.catch_up.0).await?;
        asked.unread = self.unread(&asked).await?;
        self.poll(&asked, (found, Some(token)), sink).await
    }

    /// Takes off the device's queue what it got, and says where it is.
    async fn unread(&self, asked: &Asked<'_>) -> Result<Option<Unread>, SyncError> {
        let Some(wish) = asked.wish.extensions.to_device() else { return Ok(None) };
        let upto = self.tails.position(asked.request.user.as_str()).user.0;
        Unread::of(wish, &self.to_device, asked.recipient(), upto).await.map(Some)
    }

    /// Waits until there is something to tell, or the time is over. A new connection is answered at once.
    async fn poll(
        &self,
        asked: &Asked<'_>,
        (mut found, mut since): (Found, Option<StreamToken>),
        sink: &mut Sink,
    ) -> Result<(), SyncError> {
        let request = asked.request;
        let user = request.user.as_str();
        let timeout = request.timeout.min(self.config.max_timeout.0);
        let mut over = std::pin::pin!(tokio::time::sleep(timeout));
        let mut is_over = since.is_none() || timeout.is_zero();
        let mut body = render::Body::new(sink);
        let mut patience = Patience::new(self.config.unread_wait.0);
        loop {
            let load = || self.source.load(&request.user);
            let warmth = self.tails.warm(user, self.config.catch_up.0, load).await?;
            let mut woken = std::pin::pin!(warmth.user().woken());
            woken.as_mut().enable();
            let Some(mut glance) = self.tails.glance(user, since.as_ref()) else { continue };
            if patience.wait(&self.tails, &glance.unjudged()).await {
                continue;
            }
            if let Some(error) = glance.user.as_ref().and_then(|changes| ended(&request.device, &request.token_hash, changes)) {
                return Err(error);
            }
            let is_cut = patience.is_rewarded() && since.as_ref().is_some_and(|since| glance.leave_unjudged(since));
            // Taken after the glance: what it tells too much is told again.
            let devices = since.as_ref().filter(|_| asked.wish.extensions.e2ee());
            let devices = match devices.map(|since| self.tails.plan(user, Some(since))) {
                Some(None) => continue,
                Some(plan) => plan,
                None => None,
            };
            let mut answer = self.answer(asked, (&mut found.connection, since.as_ref()), glance, &mut body).await?;
            if let Some(plan) = &devices {
                self.devices(asked, plan, &mut answer).await?;
            }
            let empty = body.rooms() == 0 && answer.extensions.is_empty();
            if is_over || !empty {
                self.metrics.answered(if empty { "sliding_empty" } else { "sliding" });
                return self.finish(asked, (found, answer), body).await;
            }
            // Nothing was told: the connection, as it is at the new position, is good for that one, too.
            since = Some(answer.token);
            patience = Patience::new(self.config.unread_wait.0);
            if is_cut {
                continue;
            }
            tokio::select! {
                () = woken => {}
                () = &mut over => is_over = true,
                () = self.draining.cancelled() => is_over = true,
            }
        }
    }

    /// Keeps the connection, if it changed, and ends the response.
    async fn finish(
        &self,
        asked: &Asked<'_>,
        (mut found, answer): (Found, Answer),
        body: render::Body<'_>,
    ) -> Result<(), SyncError> {
        let base = match found.base {
            Some(base) if !found.connection.is_changed() => base,
            _ => self.connections.save(asked.owner(), &mut found).await?,
        };
        let pos = Position { base, token: answer.token }.to_string();
        let keys = match asked.wish.extensions.e2ee() {
            true => Some(device_lists::keys(&self.source, asked.recipient()).await?),
            false => None,
        };
        body.end(&pos, &answer.counts, &answer.extensions.render(keys.as_ref())).await
    }

    /// Adds whose devices the client must look at again, and whether its own device has other keys.
    async fn devices(&self, asked: &Asked<'_>, plan: &Plan, answer: &mut Answer) -> Result<(), SyncError> {
        let user = asked.request.user.as_str();
        let is_joined = |room: &str| self.tails.membership(user, room) == Membership::Join;
        let context = self.context(asked.request, plan.ignored.clone());
        answer.extensions.device_lists = device_lists::since(&context, plan, is_joined).await?;
        answer.extensions.keys_changed = device_lists::keys_changed(&asked.request.device, plan);
        Ok(())
    }

    /// What there is to tell at a moment, and the connection after it was told. The rooms are written as they are made: all of them
    /// together may be too large to hold.
    async fn answer(
        &self,
        asked: &Asked<'_>,
        (connection, since): (&mut Connection, Option<&StreamToken>),
        mut glance: Glance,
        body: &mut render::Body<'_>,
    ) -> Result<Answer, SyncError> {
        let (request, wish) = (asked.request, asked.wish);
        let user = request.user.as_str();
        let notes = self.notes.get(&self.source, &request.user, &glance).await?;
        let rooms = lists::with_ids(&mut glance.rooms);
        let view = View { user, glance: &glance, since, connection, notes: &notes };
        let listing = view.list(wish, &self.source, &self.facts, &rooms).await?;
        let receipts = wish.extensions.receipts();
        let looked: Vec<(&Matched<'_>, Option<LogSeq>)> =
            listing.matched.iter().filter_map(|room| look(&view, room, &listing.known, receipts)).collect();
        let passed = passed(&view, &rooms, &listing);
        let places: Vec<(&Glimpse, Option<LogSeq>)> = looked.iter().map(|(room, since)| (room.glimpse, *since)).collect();
        let mut plans = self.tails.plans_until(user, &glance.token, &places);
        ongoing::add_heads(&self.source, &mut plans).await?;
        let causes = trace::causes(&plans);
        let _answering = trace::answer(&causes);
        body.caused_by(causes);
        let context = self.context(request, glance.ignored.clone());
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let told: Vec<_> = looked
            .iter()
            .zip(&plans)
            .map(|((room, _), plan)| {
                let live_from = since.map(|since| since.room(room.glimpse.shard));
                let (sent, dm) = (connection.room(&room.id), notes.is_direct(&room.glimpse.room));
                let receipts = receipts.is_some_and(|scope| scope.takes(room));
                rooms::look(&context, request.form, room, Ask { plan, config: &room.config, sent, live_from, dm, receipts })
            })
            .collect();
        let mut told = stream::iter(told).buffered(self.config.parallel_rooms);
        let mut sent = Vec::with_capacity(looked.len());
        let mut extensions = extensions::Told::default();
        while let Some(told) = told.try_next().await? {
            let room = told.room;
            if let Some(json) = told.json {
                body.room(&room.glimpse.room, &json).await?;
            }
            extensions.receipts.extend(told.receipts.map(|event| (room.glimpse.room.clone(), event)));
            sent.push((room.id, told.after));
        }
        drop(told);
        sent.into_iter().for_each(|(id, after)| connection.set(id, after));
        passed.keep(connection, &listing);
        let scope = wish.extensions.account_data();
        let changes = (&glance, since.map(|since| since.user));
        extensions.account_data = account_data::tell((&self.source, &request.user), scope, &listing, changes, connection).await?;
        if let Some(unread) = asked.unread {
            extensions.to_device = Some(unread.tell(&self.to_device, asked.recipient(), glance.token.user.0).await?);
        }
        let mut token = glance.token;
        if let Some(scope) = wish.extensions.typing() {
            let asked: HashSet<&str> =
                listing.matched.iter().filter(|room| scope.takes(room)).map(|room| &*room.glimpse.room).collect();
            let to_tell = self.tails.typing_since(user, &token.typing, |room| asked.contains(room));
            extensions.typing = to_tell.rooms.iter().map(|(room, users)| (room.clone(), typing::event(users))).collect();
            token.typing = to_tell.token;
        }
        Ok(Answer { token, counts: listing.counts, extensions })
    }

    fn context(&self, request: &Request, ignored: Arc<HashSet<String>>) -> Context {
        Context {
            source: self.source.clone(),
            filter: Arc::default(),
            user: request.user.clone(),
            device: request.device.clone(),
            lazy: Arc::new(Session::default()),
            state_after: true,
            full_state: false,
            ignored,
            now: self.clock.now(),
        }
    }
}
