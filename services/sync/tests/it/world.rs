//! A store, logs, rooms that obey, and workers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use banyan_core::{Clock, LogId, LogKind, LogSeq, ManualClock, ServiceError, ShardCount, TimestampMicros};
use banyan_log::{Applier, DerivedRow, Entry, FollowBatch};
use banyan_proto::{
    rooms::RoomEntry,
    users::{AccountDataChanged, UserEntry, user_entry},
};
use banyan_rooms::{
    apply::RoomApplier,
    reader::RoomReader,
    state::{States, store::StoredNodes},
};
use banyan_runtime::config::HumanDuration;
use banyan_store::{Store, Table, TableStore, WriteBatch, memory::MemoryStore};
use banyan_sync::{
    SyncConfig,
    app::sync::{Request, Syncs},
    calls::Acknowledge,
    error::SyncError,
    metrics::Metrics,
    render::Sink,
    sliding::Sliding,
    source::Source,
    tails::Tails,
};
use banyan_users::{UserApplier, UserReader};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::rooms::Room;

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: ManualClock,
    pub(crate) shards: ShardCount,
    pub(crate) states: States,
    logs: HashMap<LogId, Vec<Entry>>,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) config: SyncConfig,
    pub(crate) owner: Owner,
}

/// Notes what is acknowledged: user, device, position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner(pub(crate) Arc<Mutex<Vec<(String, String, u64)>>>);

#[async_trait::async_trait]
impl Acknowledge for Owner {
    async fn acknowledge(&self, user: &UserId, device: &DeviceId, position: u64) -> Result<(), ServiceError> {
        self.0.lock().push((user.to_string(), device.to_string(), position));
        Ok(())
    }
}

pub(crate) struct Worker {
    pub(crate) tails: Arc<Tails>,
    pub(crate) syncs: Arc<Syncs>,
    pub(crate) sliding: Arc<Sliding>,
    positions: HashMap<LogId, usize>,
}

/// A request by `user` on device `D`.
pub(crate) fn request(user: &str) -> Request {
    Request {
        user: OwnedUserId::try_from(user).unwrap(),
        device: OwnedDeviceId::from("D"),
        since: None,
        filter: Bytes::new(),
        full_state: false,
        timeout: Duration::ZERO,
        state_after: false,
        token_hash: Bytes::from_static(b"hash"),
    }
}

pub(crate) fn since(user: &str, token: &str) -> Request {
    Request { since: Some(token.to_owned()), ..request(user) }
}

/// The whole answer.
pub(crate) async fn sync(syncs: &Syncs, request: Request) -> Result<Value, SyncError> {
    collect(async |sink| syncs.sync(request, sink).await).await
}

/// What is written, as JSON.
pub(crate) async fn collect(write: impl AsyncFnOnce(&mut Sink) -> Result<(), SyncError>) -> Result<Value, SyncError> {
    let (out, mut chunks) = mpsc::channel(4);
    let answer = async {
        let mut sink = Sink::new(out);
        write(&mut sink).await
    };
    let collect = async {
        let mut body = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            body.extend_from_slice(&chunk.unwrap());
        }
        body
    };
    let (answer, body) = tokio::join!(answer, collect);
    answer?;
    Ok(serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body))))
}

impl World {
    pub(crate) fn new() -> Self {
        let tables: Vec<&'static Table> = [banyan_rooms::tables::TABLES, banyan_users::TABLES, banyan_sync::TABLES].concat();
        let clock = ManualClock::new(TimestampMicros(1_700_000_000_000_000));
        let store = Arc::new(MemoryStore::new(&tables, Arc::new(clock.clone()), 1).unwrap());
        let states = States::new(Arc::new(StoredNodes::new(store.clone())));
        let shards = ShardCount::new(4).unwrap();
        Self {
            store,
            clock,
            shards,
            states,
            logs: HashMap::new(),
            rooms: BTreeMap::new(),
            // Nobody checks push rules here.
            config: SyncConfig { unread_wait: HumanDuration::millis(0), ..SyncConfig::default() },
            owner: Owner::default(),
        }
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_over(self.store.clone())
    }

    /// One that reads through a store of its own, over the same rows.
    pub(crate) fn worker_over(&self, store: Arc<dyn Store>) -> Worker {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let tails = Tails::new(self.shards, clock.clone(), &self.config, Metrics::default());
        let source = Source::new(RoomReader::new(store.clone(), 1 << 20), UserReader::new(store), self.shards);
        let owner = Arc::new(self.owner.clone());
        let syncs = Arc::new(Syncs::new(tails.clone(), source, owner, clock, self.config.clone(), Metrics::default()));
        let sliding = Arc::new(syncs.sliding());
        Worker { tails, syncs, sliding, positions: HashMap::new() }
    }

    pub(crate) fn entries(&self, log: LogId) -> &[Entry] {
        self.logs.get(&log).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn now(&self) -> TimestampMicros {
        self.clock.now()
    }

    pub(crate) async fn append_room(&mut self, entry: RoomEntry) -> LogSeq {
        let log = LogId::rooms(self.shards.shard_of(&entry.room_id));
        self.append(log, entry.encode_to_vec().into()).await
    }

    pub(crate) async fn append_user(&mut self, user: &str, kind: user_entry::Kind) -> LogSeq {
        let log = LogId::users(self.shards.shard_of(user));
        let entry = UserEntry { user_id: user.to_owned(), kind: Some(kind) };
        self.append(log, entry.encode_to_vec().into()).await
    }

    pub(crate) async fn account_data(&mut self, user: &str, room: &str, kind: &str, content: &Value) {
        let data = AccountDataChanged { room_id: room.to_owned(), r#type: kind.to_owned(), content: content.to_string().into() };
        self.append_user(user, user_entry::Kind::AccountData(data)).await;
    }

    async fn append(&mut self, log: LogId, body: Bytes) -> LogSeq {
        self.clock.advance(Duration::from_millis(1));
        let seq = LogSeq(self.entries(log).len() as u64);
        let entry = Entry {
            log,
            seq,
            timestamp: self.clock.now(),
            request: None,
            targets: Vec::new(),
            source: None,
            traceparent: String::new(),
            body,
        };
        let rows = match log.kind {
            LogKind::Rooms => RoomApplier.derive(&entry),
            LogKind::Users => UserApplier.derive(&entry),
        };
        for DerivedRow { table, partition, write } in rows.unwrap() {
            let batch = WriteBatch { table, partition, writes: vec![write], at: entry.timestamp };
            self.store.write(batch).await.unwrap();
        }
        self.logs.entry(log).or_default().push(entry);
        seq
    }

    /// All logs, in order.
    pub(crate) fn all_logs(&self) -> Vec<LogId> {
        self.shards.shards().flat_map(|shard| [LogId::rooms(shard), LogId::users(shard)]).collect()
    }
}

impl Worker {
    /// Takes in at most `most` further entries of a log.
    pub(crate) fn deliver(&mut self, world: &World, log: LogId, most: usize) {
        let position = self.positions.entry(log).or_default();
        let entries = world.entries(log);
        let end = entries.len().min(*position + most);
        if end > *position {
            let first = LogSeq(*position as u64);
            let batch = FollowBatch {
                first,
                next: LogSeq(end as u64),
                entries: entries[*position..end].to_vec(),
                traceparent: String::new(),
            };
            *position = end;
            self.tails.apply(log, &batch);
        }
    }

    /// Takes in everything.
    pub(crate) fn catch_up(&mut self, world: &World) {
        for log in world.all_logs() {
            self.deliver(world, log, usize::MAX / 2);
        }
    }

    /// Begins at the end of every log, as after a restart of a process that keeps no tail.
    pub(crate) fn begin_at_end(&mut self, world: &World) {
        for log in world.all_logs() {
            let end = world.entries(log).len();
            self.positions.insert(log, end);
            self.tails.reset(log, LogSeq(end as u64));
        }
    }

    /// Takes in everything, then syncs.
    pub(crate) async fn sync(&mut self, world: &World, request: Request) -> Value {
        self.catch_up(world);
        sync(&self.syncs, request).await.unwrap()
    }
}

/// `next_batch`.
pub(crate) fn token(body: &Value) -> &str {
    body["next_batch"].as_str().unwrap()
}

/// The events of a room's timeline.
pub(crate) fn timeline<'a>(body: &'a Value, section: &str, room: &str) -> Vec<&'a str> {
    ids(&body["rooms"][section][room]["timeline"]["events"])
}

/// The events of a room's state.
pub(crate) fn state<'a>(body: &'a Value, section: &str, room: &str) -> Vec<&'a str> {
    ids(&body["rooms"][section][room]["state"]["events"])
}

pub(crate) fn ids(events: &Value) -> Vec<&str> {
    events.as_array().into_iter().flatten().map(|event| event["event_id"].as_str().unwrap()).collect()
}
