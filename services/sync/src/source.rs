//! What sync reads from the tables.

use std::{collections::HashMap, sync::Arc};

use banyan_core::{LogSeq, ServiceError, ShardCount};
use banyan_proto::rooms::{CurrentStateRow, EventStanding, RoomHead, StateRoot};
use banyan_proto::users::ToDeviceRow;
use banyan_rooms::{
    ReadError, RoomPlace,
    reader::{At, Direction, RoomReader, StateEvent, StoredEvent, TimelinePage, TimelineQuery},
    tables::current_state,
};
use banyan_users::{UserReader, keys::pool::KeyCounts};
use bytes::Bytes;
use ruma::{DeviceId, EventId, OwnedEventId, RoomId, UserId};

use crate::{
    app::unread::UnreadCache,
    error::SyncError,
    tails::{
        change::RoomEvent,
        warm::{self, Loaded, Standing},
    },
};

/// Account data, of a room or global.
#[derive(Clone, Debug)]
pub struct AccountDatum {
    /// Empty: global.
    pub room: String,
    /// Its type.
    pub kind: String,
    /// JSON object; empty: removed.
    pub content: Bytes,
    /// Sequence of the entry that set it.
    pub seq: LogSeq,
}

/// The tables, read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Source {
    /// Rooms.
    pub rooms: RoomReader,
    /// What is unread in them.
    pub unread: UnreadCache,
    users: UserReader,
    shards: ShardCount,
}

impl Source {
    /// Reads through these.
    #[must_use]
    pub fn new(rooms: RoomReader, users: UserReader, shards: ShardCount) -> Self {
        Self { rooms, unread: UnreadCache::default(), users, shards }
    }

    /// What the tails need to know of a user.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(&self, user: &UserId) -> Result<Loaded, SyncError> {
        let (rows, ignored) = futures::future::try_join(
            async { self.rooms.memberships(user).await.map_err(SyncError::from) },
            self.account_datum(user, "m.ignored_user_list"),
        )
        .await?;
        let rooms = rows.into_iter().map(|(room, row)| {
            let room: Arc<str> = room.as_str().into();
            let shard = self.shards.shard_of(&room);
            (room, shard, Standing::from_row(row))
        });
        let (ignored, ignored_seq) = ignored.map(|datum| (warm::ignored_users(&datum.content), datum.seq)).unwrap_or_default();
        Ok(Loaded { rooms: rooms.collect(), ignored, ignored_seq })
    }

    /// All account data of a user.
    ///
    /// # Errors
    /// The store's.
    pub async fn account_data(&self, user: &UserId) -> Result<Vec<AccountDatum>, SyncError> {
        let rows = self.users.all_account_data(user.as_str()).await?;
        Ok(rows.into_iter().map(datum).collect())
    }

    /// Whether a user takes no invites now.
    ///
    /// # Errors
    /// The store's.
    pub async fn blocks_invites(&self, user: &UserId) -> Result<bool, SyncError> {
        Ok(self.users.blocks_invites(user.as_str()).await?)
    }

    /// How many one-time keys of a device are unclaimed, and which fallback keys nobody was given.
    ///
    /// # Errors
    /// The store's.
    pub async fn key_counts(&self, user: &UserId, device: &DeviceId) -> Result<KeyCounts, SyncError> {
        Ok(self.users.key_counts(user.as_str(), device.as_str()).await.map_err(ServiceError::from)?)
    }

    /// The oldest messages of a device at positions in `from..upto` that it has not acknowledged, with their positions.
    ///
    /// # Errors
    /// The store's.
    pub async fn to_device(
        &self,
        user: &str,
        device: &str,
        (from, upto): (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, ToDeviceRow)>, SyncError> {
        let queue = self.users.to_device_queue(user, device).await.map_err(ServiceError::from)?;
        let from = from.max(queue.acknowledged);
        if from >= upto {
            return Ok(Vec::new());
        }
        Ok(self.users.to_device(user, device, (from, upto), limit).await.map_err(ServiceError::from)?)
    }

    async fn account_datum(&self, user: &UserId, kind: &str) -> Result<Option<AccountDatum>, SyncError> {
        Ok(self.users.account_data(user.as_str(), None, kind).await?.map(datum))
    }

    /// A page of a timeline, newest first, from `from` backwards. `extent`: the lowest and highest arrival index of the room, if they are
    /// known.
    ///
    /// # Errors
    /// The store's.
    pub async fn timeline(
        &self,
        room: &RoomId,
        extent: Option<(i64, i64)>,
        from: RoomPlace,
        limit: usize,
    ) -> Result<TimelinePage, ReadError> {
        let query = TimelineQuery { from, to: None, direction: Direction::Backward, limit };
        match extent {
            Some(extent) => self.rooms.timeline_within(room, extent, query).await,
            None => self.rooms.timeline(room, query).await,
        }
    }

    /// The current state of a room by type and state key, as it was at `upto`: of all of it, or of all but the members.
    ///
    /// # Errors
    /// The store's.
    pub async fn state(&self, room: &RoomId, head: &RoomHead, upto: LogSeq, members: bool) -> Result<StateMap, ReadError> {
        let mut rows = current_state::scan(&**self.rooms.store(), room, head.current_buckets, None).await?;
        rows.retain(|((kind, _), _)| members || kind != "m.room.member");
        self.state_of_rows(room, head, upto, rows).await
    }

    /// The current state of one type, as it was at `upto`.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_of_type(&self, room: &RoomId, head: &RoomHead, upto: LogSeq, kind: &str) -> Result<StateMap, ReadError> {
        let rows = current_state::scan(&**self.rooms.store(), room, head.current_buckets, Some(kind)).await?;
        self.state_of_rows(room, head, upto, rows).await
    }

    async fn state_of_rows(
        &self,
        room: &RoomId,
        head: &RoomHead,
        upto: LogSeq,
        rows: Vec<current_state::Entry>,
    ) -> Result<StateMap, ReadError> {
        let mut map = StateMap::default();
        let mut newer = Vec::new();
        let mut bare = Vec::new();
        for ((kind, key), row) in rows {
            if row.seq >= upto.0 {
                newer.push((kind, key));
            } else if row.pdu.is_empty() {
                bare.push(row.event_id);
            } else {
                map.insert(kind, key, row_event(room, row)?);
            }
        }
        self.add_events(room, &bare, &mut map).await?;
        self.add_older(room, head, upto, &newer, &mut map).await?;
        Ok(map)
    }

    /// Some state events of a room as they were at `upto`, in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn state_events(
        &self,
        room: &RoomId,
        head: &RoomHead,
        upto: LogSeq,
        wanted: &[(&str, &str)],
    ) -> Result<Vec<Option<Arc<RoomEvent>>>, ReadError> {
        let store = &**self.rooms.store();
        let rows = current_state::multi_get(store, room, head.current_buckets, wanted).await?;
        let mut map = StateMap::default();
        let mut newer = Vec::new();
        let mut bare = Vec::new();
        for ((kind, key), row) in wanted.iter().zip(rows) {
            match row {
                None => {}
                Some(row) if row.seq >= upto.0 => newer.push(((*kind).to_owned(), (*key).to_owned())),
                Some(row) if row.pdu.is_empty() => bare.push(row.event_id),
                Some(row) => map.insert((*kind).to_owned(), (*key).to_owned(), row_event(room, row)?),
            }
        }
        self.add_events(room, &bare, &mut map).await?;
        self.add_older(room, head, upto, &newer, &mut map).await?;
        Ok(wanted.iter().map(|(kind, key)| map.get(kind, key).cloned()).collect())
    }

    /// Events of a room by id; those that are not there are left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn events(&self, room: &RoomId, ids: &[String]) -> Result<Vec<Arc<RoomEvent>>, ReadError> {
        let mut events = Vec::with_capacity(ids.len());
        for ids in ids.chunks(1_000) {
            for event in self.rooms.events(room, ids).await?.into_iter().flatten() {
                events.push(Arc::new(RoomEvent::new(event, true)?));
            }
        }
        Ok(events)
    }

    async fn add_events(&self, room: &RoomId, ids: &[String], map: &mut StateMap) -> Result<(), ReadError> {
        if ids.is_empty() {
            return Ok(());
        }
        for event in self.events(room, ids).await? {
            if let Some((kind, key)) = event.state() {
                map.insert(kind.to_owned(), key.to_owned(), event.clone());
            }
        }
        Ok(())
    }

    /// Rows newer than `upto` are answered from the trie.
    async fn add_older(
        &self,
        room: &RoomId,
        head: &RoomHead,
        upto: LogSeq,
        keys: &[(String, String)],
        map: &mut StateMap,
    ) -> Result<(), ReadError> {
        if keys.is_empty() {
            return Ok(());
        }
        let Some(root) = self.root_at(room, head, upto).await? else { return Ok(()) };
        let wanted: Vec<(&str, &str)> = keys.iter().map(|(kind, key)| (kind.as_str(), key.as_str())).collect();
        for event in self.rooms.state_events(room, &wanted, &At::Root(root)).await?.into_iter().flatten() {
            let (kind, key) = (event.event_type.clone(), event.state_key.clone());
            map.insert(kind, key, state_event(room, event)?);
        }
        Ok(())
    }

    /// The state at a position: the head's, or that after the last event below it.
    async fn root_at(&self, room: &RoomId, head: &RoomHead, upto: LogSeq) -> Result<Option<StateRoot>, ReadError> {
        if head.seq < upto.0 {
            return Ok(head.current.clone());
        }
        let Some(last) = upto.0.checked_sub(1) else { return Ok(None) };
        let Some(place) = self.rooms.place_at(room, LogSeq(last)).await? else { return Ok(None) };
        self.rooms.root_of_place(room, place).await
    }
}

fn datum(data: banyan_users::AccountData) -> AccountDatum {
    AccountDatum { room: data.room_id.unwrap_or_default(), kind: data.kind, content: data.content, seq: LogSeq(data.seq) }
}

/// State events by type and state key.
#[derive(Debug, Default)]
pub struct StateMap(HashMap<String, HashMap<String, Arc<RoomEvent>>>);

impl StateMap {
    /// Sets an event.
    pub fn insert(&mut self, kind: String, key: String, event: Arc<RoomEvent>) {
        self.0.entry(kind).or_default().insert(key, event);
    }

    /// The event of a key.
    #[must_use]
    pub fn get(&self, kind: &str, key: &str) -> Option<&Arc<RoomEvent>> {
        self.0.get(kind)?.get(key)
    }

    /// Removes the event of a key.
    pub fn remove(&mut self, kind: &str, key: &str) {
        if let Some(keys) = self.0.get_mut(kind) {
            keys.remove(key);
        }
    }

    /// All events, in no order.
    pub fn events(&self) -> impl Iterator<Item = &Arc<RoomEvent>> {
        self.0.values().flat_map(HashMap::values)
    }

    /// All events of a type, in no order.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = &Arc<RoomEvent>> {
        self.0.get(kind).into_iter().flat_map(HashMap::values)
    }
}

fn row_event(room: &RoomId, row: CurrentStateRow) -> Result<Arc<RoomEvent>, ReadError> {
    let event_id =
        EventId::parse(&row.event_id).map_err(|error| ReadError::Corrupt { table: "current_state", problem: error.to_string() })?;
    bare_event(room, event_id, row.pdu, LogSeq(row.seq))
}

/// An event of a state.
///
/// # Errors
/// If it is none.
pub fn state_event(room: &RoomId, event: StateEvent) -> Result<Arc<RoomEvent>, ReadError> {
    bare_event(room, event.event_id, event.pdu, LogSeq(0))
}

fn bare_event(room: &RoomId, event_id: OwnedEventId, pdu: Bytes, seq: LogSeq) -> Result<Arc<RoomEvent>, ReadError> {
    let stored = StoredEvent {
        event_id,
        room_id: room.to_owned(),
        pdu,
        place: None,
        seq,
        received: banyan_core::TimestampMicros(0),
        standing: EventStanding::Accepted,
        state_after: StateRoot::default(),
        replaces_state: None,
        prev_content: Bytes::new(),
        prev_sender: String::new(),
        transaction: None,
        redaction: None,
        gap_before: false,
    };
    RoomEvent::new(stored, true).map(Arc::new)
}
