//! A sync from beginning to end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_core::Clock;
use banyan_rooms::stream_token::StreamToken;
use banyan_users::to_device::PER_SYNC;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Context,
    account_data::AccountData,
    device_lists, ongoing,
    patience::Patience,
    room::{self, RoomAnswer},
    to_device::{Recipient, ToDevice},
    typing, unread,
};
use crate::{
    admission::Admission,
    calls::Acknowledge,
    config::SyncConfig,
    error::SyncError,
    filter::Filter,
    lazy::{LazyMembers, Session},
    metrics::Metrics,
    render::{self, Head, Section, Sink},
    sliding::{self, Sliding},
    source::Source,
    tails::{
        Plan, RoomPlan, Tails,
        change::{Membership, UserChange, UserChangeKind},
    },
    trace,
};

/// The generation of shards that tokens are for.
const GENERATION: u32 = 0;

/// What a client asks.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub user: OwnedUserId,
    /// From which device.
    pub device: OwnedDeviceId,
    /// The `next_batch` of an earlier answer; `None`: an initial sync.
    pub since: Option<String>,
    /// The filter's JSON; empty: none.
    pub filter: Bytes,
    /// All state, at once.
    pub full_state: bool,
    /// How long to wait for something to happen.
    pub timeout: Duration,
    /// State at the end of timelines.
    pub state_after: bool,
    /// BLAKE3 of the access token; empty: unknown.
    pub token_hash: Bytes,
}

/// Answers syncs.
#[derive(Debug)]
pub struct Syncs {
    tails: Arc<Tails>,
    source: Source,
    lazy: LazyMembers,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
    config: SyncConfig,
    metrics: Metrics,
    to_device: Arc<ToDevice>,
    /// Set when the process is about to end: nobody waits any more.
    draining: CancellationToken,
}

/// A room's part, rendered.
type Rendered = (Section, Arc<str>, Vec<u8>);

/// What a response since a token says.
struct Response {
    token: StreamToken,
    rooms: Vec<Rendered>,
    head: Head,
    /// Keys of the device were claimed, or there are others.
    keys_changed: bool,
}

impl Response {
    fn is_empty(&self) -> bool {
        let Head { account_data, presence, to_device, device_lists, device_keys: _ } = &self.head;
        let told = !account_data.is_empty() || !presence.is_empty() || !to_device.is_empty() || !device_lists.is_empty();
        self.rooms.is_empty() && !told && !self.keys_changed
    }
}

impl Syncs {
    /// Answers from these tails and tables.
    #[must_use]
    pub fn new(
        tails: Arc<Tails>,
        source: Source,
        owner: Arc<dyn Acknowledge>,
        clock: Arc<dyn Clock>,
        config: SyncConfig,
        metrics: Metrics,
    ) -> Self {
        let lazy = LazyMembers::new(config.lazy_devices);
        let admission = Arc::new(Admission::new(&config, metrics.clone()));
        let to_device = Arc::new(ToDevice::new(tails.clone(), source.clone(), owner));
        Self { tails, source, lazy, admission, clock, config, metrics, to_device, draining: CancellationToken::new() }
    }

    /// Answers sliding syncs from the same, and lets in as many in all.
    #[must_use]
    pub fn sliding(&self) -> Sliding {
        Sliding::new(sliding::Shared {
            tails: self.tails.clone(),
            source: self.source.clone(),
            to_device: self.to_device.clone(),
            admission: self.admission.clone(),
            clock: self.clock.clone(),
            config: self.config.clone(),
            metrics: self.metrics.clone(),
            draining: self.draining.clone(),
        })
    }

    /// From now on nothing waits: long polls are answered with what there is, so that their clients come back elsewhere.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Answers a sync into `sink`.
    ///
    /// # Errors
    /// See [`SyncError`]. What was written to the sink before is void.
    pub async fn sync(&self, request: Request, sink: &mut Sink) -> Result<(), SyncError> {
        let _slot = self.admission.connect()?;
        let filter = Arc::new(Filter::parse(&request.filter, &self.config)?);
        match request.since.clone() {
            None => self.initial(&request, filter, sink).await,
            Some(text) => {
                let since = StreamToken::parse(&text, self.tails.shards())?;
                if since.generation != GENERATION {
                    return Err(SyncError::Request("since is a token for other shards".to_owned()));
                }
                self.tails.reach(request.user.as_str(), &since, self.config.catch_up.0).await?;
                self.to_device.acknowledge(recipient(&request), since.to_device.min(since.user.0)).await;
                let _turn = if request.full_state { Some(self.admission.initial().await?) } else { None };
                self.poll(&request, filter, (since, &text), sink).await
            }
        }
    }

    /// Waits until there is something to tell since a token, or the time is over.
    async fn poll(
        &self,
        request: &Request,
        filter: Arc<Filter>,
        (mut since, text): (StreamToken, &str),
        sink: &mut Sink,
    ) -> Result<(), SyncError> {
        let user = request.user.as_str();
        let timeout = request.timeout.min(self.config.max_timeout.0);
        let mut over = std::pin::pin!(tokio::time::sleep(timeout));
        let mut is_over = request.full_state || timeout.is_zero();
        let mut patience = Patience::new(self.config.unread_wait.0);
        loop {
            let load = || self.source.load(&request.user);
            let warmth = self.tails.warm(user, self.config.catch_up.0, load).await?;
            let mut woken = std::pin::pin!(warmth.user().woken());
            woken.as_mut().enable();
            let Some(mut plan) = self.tails.plan(user, Some(&since)) else { continue };
            if patience.wait(&self.tails, &plan.unjudged()).await {
                continue;
            }
            if let Some(error) = plan.user.as_ref().and_then(|changes| ended(&request.device, &request.token_hash, changes)) {
                return Err(error);
            }
            let is_cut = patience.is_rewarded() && !request.full_state && plan.leave_unjudged(self.tails.shards());
            let causes = trace::causes(&plan.rooms);
            let answering = trace::answer(&causes);
            let lazy = self.lazy_session(request, &filter, Some(text));
            let response = self.since(request, &filter, &since, plan, lazy.clone()).await?;
            if is_over || !response.is_empty() {
                let token = response.token.to_string();
                if filter.state.lazy_load_members {
                    lazy.finish(&token);
                }
                self.metrics.answered(if response.is_empty() { "empty" } else { "incremental" });
                sink.caused_by(causes);
                return write(sink, &token, response).await;
            }
            drop(answering);
            since = response.token;
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

    /// What there is to tell since a token.
    async fn since(
        &self,
        request: &Request,
        filter: &Arc<Filter>,
        since: &StreamToken,
        plan: Plan,
        lazy: Arc<Session>,
    ) -> Result<Response, SyncError> {
        let mut plan = plan;
        if request.full_state {
            plan = self.with_all_rooms(request, plan, since);
        }
        let context = self.context(request, filter, &plan, lazy);
        let changed = match &plan.user {
            Some(changes) => AccountData::of_changes(changes),
            None => AccountData::of_rows(&self.source.account_data(&request.user).await?, Some(since.user)),
        };
        let is_joined = |room: &str| self.tails.membership(request.user.as_str(), room) == Membership::Join;
        let (mut answers, device_lists, device_keys) = tokio::try_join!(
            self.answers(&context, &plan.rooms),
            device_lists::since(&context, &plan, is_joined),
            device_lists::keys(&self.source, recipient(request)),
        )?;
        let whole = answers.iter().any(|(_, answer)| matches!(answer, RoomAnswer::Joined(body) if body.whole));
        let all = if whole { Some(AccountData::of_rows(&self.source.account_data(&request.user).await?, None)) } else { None };
        let told: BTreeMap<&str, ()> = answers.iter().map(|(room, _)| (&**room, ())).collect();
        let others: Vec<Arc<str>> = changed.rooms().filter(|room| !told.contains_key(room)).map(Into::into).collect();
        drop(told);
        for room in others {
            if self.tails.membership(request.user.as_str(), &room) == Membership::Join && context.filter.rooms.takes(&room) {
                answers.push((room, RoomAnswer::Joined(room::RoomBody::unchanged())));
            }
        }
        let typing = self.tails.typing_since(request.user.as_str(), &since.typing, |room| typing::takes(filter, room));
        typing::tell(&mut answers, typing.rooms);
        let mut rooms = Vec::with_capacity(answers.len());
        for (room, answer) in &mut answers {
            let data = match (&*answer, &all) {
                (RoomAnswer::Joined(body) | RoomAnswer::Left(body), Some(all)) if body.whole => all,
                _ => &changed,
            };
            let data = room_account_data(&context, data, room);
            if matches!(answer, RoomAnswer::Joined(body) if body.is_empty()) && data.is_empty() {
                continue;
            }
            if let RoomAnswer::Joined(body) = answer
                && body.unread.is_none()
            {
                body.unread = Some(unread::read(&context, room).await?);
            }
            rooms.push((Section::of(answer), room.clone(), render::room(&context, answer, &data)?));
        }
        rooms.sort();
        let account_data = changed.events("", |kind| filter.account_data.takes_type(kind));
        let unread = (since.to_device.min(since.user.0), plan.token.user.0);
        let (to_device, told) = self.to_device.waiting(recipient(request), unread, PER_SYNC).await?;
        let keys_changed = device_lists::keys_changed(&request.device, &plan);
        let token = StreamToken { to_device: told, typing: typing.token, ..plan.token };
        let head = Head { account_data, to_device, device_lists, device_keys, ..Head::default() };
        Ok(Response { token, rooms, head, keys_changed })
    }

    /// The plan with every room the user is in.
    fn with_all_rooms(&self, request: &Request, plan: Plan, since: &StreamToken) -> Plan {
        let Some(all) = self.tails.plan_all(request.user.as_str(), since) else { return plan };
        all
    }

    /// Tells everything: room by room, into the sink as it is made.
    async fn initial(&self, request: &Request, filter: Arc<Filter>, sink: &mut Sink) -> Result<(), SyncError> {
        let _turn = self.admission.initial().await?;
        let user = request.user.as_str();
        let mut patience = Patience::new(self.config.unread_wait.0);
        let (warmth, plan) = loop {
            let warmth = self.tails.warm(user, self.config.catch_up.0, || self.source.load(&request.user)).await?;
            let Some(plan) = self.tails.plan(user, None) else { continue };
            if !patience.wait(&self.tails, &plan.unjudged()).await {
                break (warmth, plan);
            }
        };
        let lazy = self.lazy_session(request, &filter, None);
        let context = self.context(request, &filter, &plan, lazy.clone());
        let data = Arc::new(AccountData::of_rows(&self.source.account_data(&request.user).await?, None));
        let (to_device, told) = self.to_device.waiting(recipient(request), (0, plan.token.user.0), PER_SYNC).await?;
        let typing = self.tails.typing_since(user, &[], |room| typing::takes(&filter, room));
        let (typing, typing_told) = (Arc::new(typing.rooms), typing.token);
        let token = StreamToken { to_device: told, typing: typing_told, ..plan.token }.to_string();
        let account_data = data.events("", |kind| filter.account_data.takes_type(kind));
        let device_keys = device_lists::keys(&self.source, recipient(request)).await?;
        let mut body = render::Body::begin(sink, &token, &Head { account_data, to_device, device_keys, ..Head::default() });
        let mut plans = plan.rooms;
        ongoing::add_heads(&self.source, &mut plans).await?;
        plans.sort_by_key(|plan| Section::of_membership(plan.standing.membership));
        let rooms: Vec<_> =
            plans.into_iter().map(|plan| initial_room(context.clone(), data.clone(), typing.clone(), plan)).collect();
        let mut rooms = stream::iter(rooms).buffered(self.config.parallel_rooms);
        while let Some(rendered) = rooms.try_next().await? {
            if let Some((section, room, json)) = rendered {
                body.room(section, &room, &json).await?;
            }
        }
        body.end().await?;
        drop(warmth);
        if filter.state.lazy_load_members {
            lazy.finish(&token);
        }
        self.metrics.answered("initial");
        Ok(())
    }

    /// What the device knows of members; nothing is looked up for clients that are sent all of them.
    fn lazy_session(&self, request: &Request, filter: &Filter, since: Option<&str>) -> Arc<Session> {
        if !filter.state.lazy_load_members {
            return Arc::default();
        }
        Arc::new(self.lazy.begin(request.user.as_str(), request.device.as_str(), since))
    }

    fn context(&self, request: &Request, filter: &Arc<Filter>, plan: &Plan, lazy: Arc<Session>) -> Context {
        Context {
            source: self.source.clone(),
            filter: filter.clone(),
            user: request.user.clone(),
            device: request.device.clone(),
            lazy,
            state_after: request.state_after,
            full_state: request.full_state,
            ignored: plan.ignored.clone(),
            now: self.clock.now(),
        }
    }

    async fn answers(&self, context: &Context, plans: &[RoomPlan]) -> Result<Vec<(Arc<str>, RoomAnswer)>, SyncError> {
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let answers: Vec<_> = plans.iter().map(|plan| answer(context, plan)).collect();
        let answers: Vec<_> = stream::iter(answers).buffered(self.config.parallel_rooms).try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }
}

async fn answer(context: &Context, plan: &RoomPlan) -> Result<Option<(Arc<str>, RoomAnswer)>, SyncError> {
    let answer = room::answer(context, plan).await?;
    Ok(answer.map(|answer| (plan.room.clone(), answer)))
}

/// A room's part of an initial sync, on a task of its own: they are many and independent.
async fn initial_room(
    context: Context,
    data: Arc<AccountData>,
    typing: Arc<BTreeMap<Arc<str>, Vec<String>>>,
    plan: RoomPlan,
) -> Result<Option<Rendered>, SyncError> {
    let room = async move {
        let Some((room, mut answer)) = answer(&context, &plan).await? else { return Ok(None) };
        if let (RoomAnswer::Joined(body), Some(users)) = (&mut answer, typing.get(&room)) {
            body.ephemeral.push(typing::event(users));
        }
        let data = room_account_data(&context, &data, &room);
        let json = render::room(&context, &answer, &data)?;
        Ok(Some((Section::of(&answer), room, json)))
    };
    AbortOnDropHandle::new(tokio::spawn(room)).await.map_err(|error| SyncError::Internal(error.to_string()))?
}

/// Why the request is answered no more: its access token or device ended, or the account is locked.
pub(crate) fn ended(device: &DeviceId, token_hash: &Bytes, changes: &[Arc<UserChange>]) -> Option<SyncError> {
    let (mut token_is_there, mut device_is_there, mut locked) = (true, true, false);
    for change in changes {
        match &change.kind {
            UserChangeKind::Revoked(hashes) if !token_hash.is_empty() && hashes.contains(token_hash) => {
                token_is_there = false;
            }
            UserChangeKind::Deactivated => return Some(SyncError::Revoked { soft: false }),
            UserChangeKind::Locked(now) => locked = *now,
            UserChangeKind::Device(changed, there) if device == changed.as_str() => device_is_there = *there,
            _ => {}
        }
    }
    match (device_is_there, token_is_there) {
        (false, _) => Some(SyncError::Revoked { soft: false }),
        // Another token of the same device came in its place.
        (true, false) => Some(SyncError::Revoked { soft: true }),
        _ => locked.then_some(SyncError::Locked),
    }
}

fn recipient(request: &Request) -> Recipient<'_> {
    Recipient { user: &request.user, device: &request.device }
}

fn room_account_data(context: &Context, data: &AccountData, room: &str) -> Vec<Vec<u8>> {
    let filter = &context.filter.room_account_data;
    if filter.takes_room(room) { data.events(room, |kind| filter.takes_type(kind)) } else { Vec::new() }
}

async fn write(sink: &mut Sink, token: &str, response: Response) -> Result<(), SyncError> {
    let mut body = render::Body::begin(sink, token, &response.head);
    for (section, room, json) in &response.rooms {
        body.room(*section, room, json).await?;
    }
    body.end().await
}
