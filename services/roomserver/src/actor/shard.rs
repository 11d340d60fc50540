//! A shard that this process owns.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use banyan_core::{ErrorCode, ServiceError};
use banyan_log::OwnedLog;
use banyan_proto::rooms::Transaction;
use banyan_rooms::{
    event_source::{CachedEvents, MemoryEvents},
    placement::Placer,
    reader::RoomReader,
};
use moka::sync::Cache;
use parking_lot::Mutex;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use super::{Caller, CommandKey, Outcome, commit::answer_of, receipts::WaitingReceipts, room::RoomCell, typing::TypingRooms};
use crate::{metrics::Metrics, parts::Shared};

/// How long the answer to a command stays in memory, for retries; then the log's own memory of requests and the rows of transactions
/// answer.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Events that are on their way into the store, over those that are there.
pub(crate) type Events = MemoryEvents<Arc<CachedEvents<RoomReader>>>;

/// A shard: its log and the memory that goes with it. When the log is lost all of it is dropped.
pub(crate) struct Shard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: OwnedLog,
    pub(crate) placer: Placer,
    /// Events whose entries are not applied yet hide what the store has.
    pub(crate) arriving: Arc<Events>,
    pub(crate) events: Arc<CachedEvents<RoomReader>>,
    metrics: Metrics,
    /// Every room somebody works with; what is only here is not kept.
    rooms: Mutex<HashMap<OwnedRoomId, Weak<RoomCell>>>,
    /// Keeps the rooms used last.
    recent: Cache<OwnedRoomId, Arc<RoomCell>>,
    outcomes: Cache<CommandKey, Outcome>,
    /// Events whose rows are being written.
    moving: Mutex<HashMap<OwnedEventId, Outcome>>,
    /// One change of aliases at a time.
    pub(crate) names: tokio::sync::Mutex<()>,
    /// Receipts that wait to be written.
    pub(super) receipts: WaitingReceipts,
    /// Who types.
    pub(super) typing: TypingRooms,
    pub(super) tasks: TaskTracker,
    failed: CancellationToken,
    ending: CancellationToken,
}

impl Shard {
    pub(crate) fn new(shared: Arc<Shared>, metrics: Metrics, log: OwnedLog) -> Self {
        let cache_bytes = shared.config.event_cache_bytes / u64::from(shared.shards.get());
        let events = Arc::new(CachedEvents::new(shared.reader.clone(), cache_bytes.max(256 << 10)));
        let arriving = Arc::new(MemoryEvents::over(events.clone()));
        let placer = Placer::new(shared.reader.states().clone(), arriving.clone());
        let outcomes = Cache::builder().max_capacity(shared.config.remembered_commands_per_shard).time_to_live(REMEMBERED);
        Self {
            recent: Cache::new(shared.config.loaded_rooms_per_shard),
            outcomes: outcomes.build(),
            shared,
            log,
            placer,
            arriving,
            events,
            metrics,
            rooms: Mutex::default(),
            moving: Mutex::default(),
            names: tokio::sync::Mutex::default(),
            receipts: WaitingReceipts::default(),
            typing: TypingRooms::default(),
            tasks: TaskTracker::new(),
            failed: CancellationToken::new(),
            ending: CancellationToken::new(),
        }
    }

    /// Runs a command to its end, whether or not somebody still waits for the answer: a turn that proposed something must see it
    /// committed.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        command: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    ) -> Result<T, ServiceError> {
        self.check()?;
        let shard = self.clone();
        let work = async move {
            let result = command.await;
            // What memory refuses only an owner may refuse: one that was paused may have been overtaken.
            if let Err(ServiceError { code: ErrorCode::Forbidden | ErrorCode::NotFound | ErrorCode::Conflict, .. }) = &result {
                shard.log.check_lease().await?;
            }
            result
        };
        let task = self.tasks.spawn(work.in_current_span());
        task.await.unwrap_or_else(|error| Err(ServiceError::internal(format!("the command failed: {error}"))))
    }

    /// An answer from memory, once it is sure that this process is still the owner.
    pub(crate) async fn confirm<T>(&self, answer: T) -> Result<T, ServiceError> {
        self.log.check_lease().await?;
        Ok(answer)
    }

    /// Refuses if this memory is void.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        if self.failed.is_cancelled() || self.tasks.is_closed() { Err(ServiceError::not_owner(None)) } else { Ok(()) }
    }

    /// Runs something in the background. It must end soon once [`Self::check`] refuses or [`Self::pause`] does not pause any more.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if !self.tasks.is_closed() {
            self.tasks.spawn(work.in_current_span());
        }
    }

    /// Waits, unless the shard ends.
    pub(crate) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.ending.cancelled() => {}
            () = self.failed.cancelled() => {}
        }
    }

    /// Ends: waits for the commands under way. What comes later finds the log closed.
    pub(crate) async fn close(&self) {
        self.tasks.close();
        self.ending.cancel();
        self.tasks.wait().await;
    }

    /// An append failed: what this memory holds may never have happened. Nothing is built on it any more, and the log is given up so
    /// that whoever claims it next, perhaps this process, loads what did happen.
    pub(crate) fn fail(&self) {
        if self.failed.is_cancelled() {
            return;
        }
        self.failed.cancel();
        let log = self.log.clone();
        self.tasks.spawn(async move {
            if let Err(error) = log.release(None).await {
                tracing::warn!(log = %log.id(), %error, "a log whose append failed was not released");
            }
        });
    }

    /// The cell of a room, there or not.
    pub(crate) fn cell(&self, room_id: &RoomId) -> Arc<RoomCell> {
        if let Some(cell) = self.recent.get(room_id) {
            return cell;
        }
        let mut rooms = self.rooms.lock();
        let cell = rooms.get(room_id).and_then(Weak::upgrade).unwrap_or_else(|| {
            if rooms.len() >= 2 * usize::try_from(self.shared.config.loaded_rooms_per_shard).unwrap_or(usize::MAX) {
                rooms.retain(|_, cell| cell.strong_count() > 0);
            }
            let cell = Arc::new(RoomCell::new(room_id, self.metrics.clone()));
            rooms.insert(room_id.to_owned(), Arc::downgrade(&cell));
            cell
        });
        drop(rooms);
        self.recent.insert(room_id.to_owned(), cell.clone());
        cell
    }

    /// What an earlier try of the same command led to: in memory, in the log, or by a client's transaction id in the store.
    pub(crate) async fn earlier(
        &self,
        caller: &Caller,
        transaction: Option<&Transaction>,
    ) -> Result<Option<Arc<str>>, ServiceError> {
        if let Some(outcome) = self.outcome(caller, transaction) {
            return outcome.await.map(Some);
        }
        if let Some(request_id) = caller.request_id
            && let Some(entries) = self.log.find_request(request_id).await?
        {
            return answer_of(&entries).map(Some);
        }
        if let Some(transaction) = transaction
            && let Some(row) = self.shared.reader.transaction(transaction).await?
        {
            return Ok(Some(row.event_id.into()));
        }
        Ok(None)
    }

    /// What an earlier try is leading to, as far as memory knows.
    pub(crate) fn outcome(&self, caller: &Caller, transaction: Option<&Transaction>) -> Option<Outcome> {
        let by_request = caller.request_id.and_then(|id| self.outcomes.get(&CommandKey::Request(id)));
        by_request.or_else(|| transaction.and_then(|transaction| self.outcomes.get(&CommandKey::from(transaction))))
    }

    pub(crate) fn remember(&self, keys: &[CommandKey], outcome: &Outcome) {
        for key in keys {
            self.outcomes.insert(key.clone(), outcome.clone());
        }
    }

    pub(crate) fn forget(&self, keys: &[CommandKey]) {
        for key in keys {
            self.outcomes.invalidate(key);
        }
    }

    /// The commit that is changing an event's rows, if one is.
    pub(crate) fn moving(&self, event_id: &EventId) -> Option<Outcome> {
        self.moving.lock().get(event_id).cloned()
    }

    pub(crate) fn set_moving<'a>(&self, event_ids: impl IntoIterator<Item = &'a OwnedEventId>, outcome: &Outcome) {
        let mut moving = self.moving.lock();
        for event_id in event_ids {
            moving.insert(event_id.clone(), outcome.clone());
        }
    }

    pub(crate) fn end_moving<'a>(&self, event_ids: impl IntoIterator<Item = &'a OwnedEventId>, outcome: &Outcome) {
        let mut moving = self.moving.lock();
        for event_id in event_ids {
            if moving.get(event_id).is_some_and(|of| of.ptr_eq(outcome)) {
                moving.remove(event_id);
            }
        }
    }
}
