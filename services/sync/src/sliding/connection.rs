//! What a client was sent on a connection.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use banyan_core::LogSeq;
use banyan_proto::sync::{SlidingConnectionRow, SlidingRefinedState, SlidingRoom, SlidingRoomConfig, SlidingStateKey};
use bytes::Bytes;
use prost::Message;

use super::required_state::{Keys, Refined, RequiredState};
use crate::error::SyncError;

/// Rooms that are kept of a connection.
const ROOMS: usize = 20_000;
/// Lazily sent members that are kept of a connection, all rooms together.
const MEMBERS: usize = 20_000;
/// The largest row.
const BYTES: usize = 900 * 1024;

/// A room or a member, by the hash of its id.
pub type Id = [u8; 12];

/// The hash of an id.
#[must_use]
pub fn id(text: &str) -> Id {
    let mut id = [0; 12];
    id.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..12]);
    id
}

/// What to tell of a room (MSC4186, "room config").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoomConfig {
    /// Events of the timeline at most.
    pub timeline_limit: usize,
    /// State.
    pub required_state: RequiredState,
}

impl RoomConfig {
    /// Takes in another one: what is told is what either tells.
    pub fn add(&mut self, other: &Self) {
        self.timeline_limit = self.timeline_limit.max(other.timeline_limit);
        self.required_state.add(&other.required_state);
    }
}

/// What a client has of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// What it was told of it: so many of the latest events, and all of this state.
    pub config: Arc<RoomConfig>,
    /// Everything below this position of the room's shard; `None`: below the connection's own.
    pub until: Option<LogSeq>,
    /// Whether it was told that the room is a direct chat.
    pub dm: bool,
    /// Whether it was told the room's account data, with all changes until the connection's position.
    pub account_data: bool,
    /// Whether it was told the room's receipts, with all changes as far as the room was told.
    pub receipts: bool,
    /// Members it was sent lazily, with all changes as far as the room was told.
    pub members: HashSet<Id>,
}

/// A connection at a position.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    rooms: HashMap<Id, Sent>,
    global_account_data: bool,
    changed: bool,
}

impl Connection {
    /// One on which nothing was sent; it has to be kept.
    #[must_use]
    pub fn new() -> Self {
        Self { changed: true, ..Self::default() }
    }

    /// Whether it differs from what is kept.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.changed
    }

    /// It has to be kept anew although nothing changed.
    pub const fn touch(&mut self) {
        self.changed = true;
    }

    /// What the client has of a room.
    #[must_use]
    pub fn room(&self, room: &Id) -> Option<&Sent> {
        self.rooms.get(room)
    }

    /// From now on the client has this of a room.
    pub fn set(&mut self, room: Id, sent: Sent) {
        if self.rooms.get(&room) != Some(&sent) {
            self.rooms.insert(room, sent);
            self.changed = true;
        }
    }

    /// Whether the client has the account data of a room.
    #[must_use]
    pub fn has_account_data(&self, room: &Id) -> bool {
        self.rooms.get(room).is_some_and(|sent| sent.account_data)
    }

    /// Whether it has them from now on, if it has the room.
    pub fn set_account_data(&mut self, room: &Id, has: bool) {
        if let Some(sent) = self.rooms.get_mut(room).filter(|sent| sent.account_data != has) {
            sent.account_data = has;
            self.changed = true;
        }
    }

    /// Whether the client has the global account data.
    #[must_use]
    pub const fn has_global_account_data(&self) -> bool {
        self.global_account_data
    }

    /// Whether it has them from now on.
    pub const fn set_global_account_data(&mut self, has: bool) {
        self.changed |= self.global_account_data != has;
        self.global_account_data = has;
    }

    /// Forgets what need not be kept: rooms that `keep` does not name once there are too many, and members likewise. What is forgotten
    /// is sent again.
    pub fn shrink(&mut self, keep: &HashSet<Id>) {
        if self.rooms.len() > ROOMS {
            self.rooms.retain(|room, _| keep.contains(room));
        }
        if self.rooms.values().map(|sent| sent.members.len()).sum::<usize>() > MEMBERS {
            self.rooms.values_mut().for_each(|sent| sent.members.clear());
        }
    }

    /// Forgets rooms.
    pub fn forget(&mut self, gone: impl Fn(&Id) -> bool) {
        self.rooms.retain(|room, _| !gone(room));
    }

    /// As it was kept.
    #[must_use]
    pub fn of_row(row: SlidingConnectionRow) -> Self {
        let configs: Vec<Arc<RoomConfig>> = row.configs.into_iter().map(|config| Arc::new(config_of(config))).collect();
        let room = |room: SlidingRoom| {
            let id = Id::try_from(&room.room[..]).ok()?;
            let config = configs.get(room.config as usize)?.clone();
            let members = room.members.chunks_exact(12).filter_map(|member| Id::try_from(member).ok()).collect();
            let until = room.until.map(LogSeq);
            let (dm, account_data, receipts) = (room.dm, room.account_data, room.receipts);
            Some((id, Sent { config, until, dm, account_data, receipts, members }))
        };
        let rooms = row.rooms.into_iter().filter_map(room).collect();
        Self { rooms, global_account_data: row.global_account_data, changed: false }
    }

    /// How it is kept.
    ///
    /// # Errors
    /// [`SyncError::Request`] if it is too large even without its lazily sent members.
    pub fn to_bytes(&mut self) -> Result<Bytes, SyncError> {
        let mut bytes = self.to_row().encode_to_vec();
        if bytes.len() > BYTES {
            self.rooms.values_mut().for_each(|sent| sent.members.clear());
            bytes = self.to_row().encode_to_vec();
        }
        if bytes.len() > BYTES {
            return Err(SyncError::Request("the lists and subscriptions ask for too many different things".to_owned()));
        }
        Ok(bytes.into())
    }

    fn to_row(&self) -> SlidingConnectionRow {
        let mut configs: Vec<SlidingRoomConfig> = Vec::new();
        let mut known: HashMap<&RoomConfig, u32> = HashMap::new();
        let mut rooms: Vec<SlidingRoom> = Vec::with_capacity(self.rooms.len());
        for (id, sent) in &self.rooms {
            let config = *known.entry(&*sent.config).or_insert_with(|| {
                configs.push(row_config(&sent.config));
                u32::try_from(configs.len() - 1).unwrap_or(u32::MAX)
            });
            rooms.push(SlidingRoom {
                room: Bytes::copy_from_slice(id),
                config,
                until: sent.until.map(|until| until.0),
                dm: sent.dm,
                account_data: sent.account_data,
                receipts: sent.receipts,
                members: sent.members.iter().flatten().copied().collect::<Vec<u8>>().into(),
            });
        }
        SlidingConnectionRow { configs, rooms, global_account_data: self.global_account_data }
    }
}

fn config_of(row: SlidingRoomConfig) -> RoomConfig {
    let keys = |keys: Vec<SlidingStateKey>| Keys::new(keys.into_iter().map(|key| (key.r#type, key.state_key)));
    let refined = row.refined.into_iter().map(|row| Refined { include: keys(row.include), exclude: keys(row.exclude) });
    RoomConfig {
        timeline_limit: usize::try_from(row.timeline_limit).unwrap_or(usize::MAX),
        required_state: RequiredState::of_parts(keys(row.required_state), refined.collect(), row.lazy_members),
    }
}

fn row_config(config: &RoomConfig) -> SlidingRoomConfig {
    let key = |(kind, key): (&str, &str)| SlidingStateKey { r#type: kind.to_owned(), state_key: key.to_owned() };
    let keys = |keys: &Keys| keys.elements().map(key).collect();
    let required = &config.required_state;
    let refined = |refined: &Refined| SlidingRefinedState { include: keys(&refined.include), exclude: keys(&refined.exclude) };
    SlidingRoomConfig {
        timeline_limit: u32::try_from(config.timeline_limit).unwrap_or(u32::MAX),
        required_state: keys(required.keys()),
        lazy_members: required.is_lazy(),
        refined: required.refined().iter().map(refined).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_thousand_rooms_fit_a_row_and_read_back() {
        let wanted = [("m.room.name".to_owned(), String::new())];
        let mut required_state = RequiredState::of_stable(Keys::new(wanted.clone()), Keys::default(), true);
        required_state.add(&RequiredState::of_stable(Keys::new([]), Keys::new(wanted), false));
        let config = Arc::new(RoomConfig { timeline_limit: 20, required_state });
        let mut connection = Connection::new();
        for n in 0..5_000_u64 {
            let until = (n % 3 == 0).then_some(LogSeq(n << 20));
            let members = (0..n % 4).map(|member| id(&format!("@{member}:x"))).collect();
            let sent = Sent { config: config.clone(), until, dm: n % 7 == 0, account_data: true, receipts: n % 2 == 0, members };
            connection.set(id(&format!("!{n}:x")), sent);
        }
        connection.set_global_account_data(true);
        let bytes = connection.to_bytes().unwrap();
        assert!(bytes.len() < 300 * 1024, "{}", bytes.len());
        let read = Connection::of_row(SlidingConnectionRow::decode(bytes).unwrap());
        assert_eq!(read.rooms, connection.rooms);
        assert!(read.has_global_account_data() && !read.is_changed());
    }

    #[test]
    fn what_is_too_much_is_forgotten_or_refused() {
        let mut connection = Connection::new();
        let members: HashSet<Id> = (0..MEMBERS + 1).map(|n| id(&n.to_string())).collect();
        connection.set(id("!a:x"), Sent { members, ..Sent::default() });
        connection.shrink(&HashSet::new());
        assert!(connection.room(&id("!a:x")).unwrap().members.is_empty());
        let long = |n: usize| ("x".repeat(60_000), n.to_string());
        let required_state = RequiredState::of_stable(Keys::new((0..20).map(long)), Keys::default(), false);
        let config = RoomConfig { required_state, ..RoomConfig::default() };
        connection.set(id("!a:x"), Sent { config: Arc::new(config), ..Sent::default() });
        assert!(matches!(connection.to_bytes(), Err(SyncError::Request(_))));
    }
}
