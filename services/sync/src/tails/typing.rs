//! Who types where, as the owners of rooms say it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use banyan_core::{ShardCount, ShardId};
use banyan_proto::roomserver::{GetTypingResponse, TypingNews, TypingSet};

use super::{
    Tails,
    change::Membership,
    heard::{Heard, Hearing, Mark},
};

/// Rooms of which one response tells who types.
const MAX_ROOMS: usize = 64;
/// Characters in front of a room in a token: a digest of who was told to type there.
const DIGEST: usize = 8;

/// Users who type in a room, with the moment (milliseconds) until which they do.
type Users = BTreeMap<String, i64>;

/// All who type.
#[derive(Debug)]
pub(super) struct Typing {
    heard: Heard<TypingSet>,
    rooms: HashMap<Arc<str>, Users>,
    shards: ShardCount,
}

/// What to tell of who types.
#[derive(Debug, Default)]
pub struct TypingToTell {
    /// Rooms where others type than was told, with all who do.
    pub rooms: BTreeMap<Arc<str>, Vec<String>>,
    /// What the next token says of it.
    pub token: Vec<String>,
}

impl Typing {
    pub(super) fn new(shards: ShardCount) -> Self {
        Self { heard: Heard::new(shards), rooms: HashMap::new(), shards }
    }

    /// Takes in all who type in a room; gives the room if they are others than before.
    fn set(&mut self, set: TypingSet, now: i64) -> Option<Arc<str>> {
        let room: Arc<str> = set.room_id.into();
        let users: Users = set.users.into_iter().map(|user| (user.user_id, user.until)).filter(|(_, until)| *until > now).collect();
        let before = if users.is_empty() { self.rooms.remove(&room) } else { self.rooms.insert(room.clone(), users) };
        let after = self.rooms.get(&room);
        let same = before.iter().flat_map(BTreeMap::keys).eq(after.into_iter().flat_map(BTreeMap::keys));
        (!same).then_some(room)
    }

    /// Nobody types in the rooms of a shard; gives those where somebody did.
    fn clear(&mut self, shard: ShardId) -> Vec<Arc<str>> {
        let shards = self.shards;
        self.rooms.extract_if(|room, _| shards.shard_of(room) == shard).map(|(room, _)| room).collect()
    }

    /// Takes in all who type in the rooms of a shard; gives the rooms where others may than before.
    fn replace(&mut self, shard: ShardId, sets: Vec<TypingSet>, now: i64) -> Vec<Arc<str>> {
        let mut changed = self.clear(shard);
        changed.extend(sets.into_iter().filter_map(|set| self.set(set, now)));
        changed
    }

    /// Drops who has typed long enough; gives the rooms where somebody did.
    fn expire(&mut self, now: i64) -> Vec<Arc<str>> {
        let mut changed = Vec::new();
        self.rooms.retain(|room, users| {
            let before = users.len();
            users.retain(|_, until| *until > now);
            if users.len() < before {
                changed.push(room.clone());
            }
            !users.is_empty()
        });
        changed
    }
}

impl Tails {
    /// Takes in news of who types in the rooms of a shard, and wakes whom they concern. True: news were missed, the owner is to be asked.
    pub fn typing_news(&self, shard: ShardId, news: TypingNews) -> bool {
        let now = self.clock.now().as_millis();
        let mark = Mark { epoch: news.epoch, number: news.number };
        let mut typing = self.typing.write();
        let rooms = match typing.heard.hear(shard, mark, news.set) {
            Hearing::Next(set) => typing.set(set, now).into_iter().collect(),
            Hearing::Begin => typing.clear(shard),
            Hearing::Ask => return true,
            Hearing::Wait => return false,
        };
        drop(typing);
        self.wake_rooms(&rooms);
        false
    }

    /// Takes in all who type in the rooms of a shard, as its owner answers. True: it is to be asked again.
    pub fn typing_answer(&self, shard: ShardId, answer: GetTypingResponse) -> bool {
        let now = self.clock.now().as_millis();
        let mut typing = self.typing.write();
        let mark = Mark { epoch: answer.epoch, number: answer.number };
        let first = !typing.heard.is_known(shard);
        let Some((news, again)) = typing.heard.answered(shard, mark) else { return typing.heard.is_waiting(shard) };
        let mut rooms = typing.replace(shard, answer.sets, now);
        rooms.extend(news.into_iter().filter_map(|set| typing.set(set, now)));
        drop(typing);
        if first {
            // Clients may know from another process that somebody types, who does no more.
            self.wake_shard(shard);
        }
        self.wake_rooms(&rooms);
        again
    }

    /// Ends what has lasted long enough, and wakes the members of its rooms.
    pub fn expire_typing(&self) {
        if self.typing.read().rooms.is_empty() {
            return;
        }
        let now = self.clock.now().as_millis();
        let rooms = self.typing.write().expire(now);
        self.wake_rooms(&rooms);
    }

    /// Who types in the rooms of a warm user, as far as it is not what the user was told, which `told` says as a token does. Of rooms that
    /// `takes` leaves out nothing is told, and the token goes on to say what it said; likewise of rooms whose owner was not heard yet.
    #[must_use]
    pub fn typing_since(&self, user: &str, told: &[String], takes: impl Fn(&str) -> bool) -> TypingToTell {
        let state = self.state.read();
        let Some(warm) = state.warm.get(user) else { return TypingToTell { token: told.to_vec(), ..TypingToTell::default() } };
        let typing = self.typing.read();
        let is_in = |room: &str| warm.rooms.get(room).is_some_and(|standing| standing.membership == Membership::Join);
        let told: BTreeMap<&str, &str> =
            told.iter().filter_map(|entry| entry.split_at_checked(DIGEST)).map(|(digest, room)| (room, digest)).collect();
        let mut to_tell = TypingToTell::default();
        let now_in = |room: &str| {
            let users = typing.rooms.get(room).into_iter().flat_map(BTreeMap::keys);
            users.filter(|user| !warm.ignored.contains(*user)).cloned().collect::<Vec<String>>()
        };
        for (&room, &before) in told.iter().filter(|(room, _)| is_in(room)) {
            if !takes(room) || !typing.heard.is_known(typing.shards.shard_of(room)) {
                to_tell.token.push(format!("{before}{room}"));
            } else {
                to_tell.add(room.into(), now_in(room), Some(before));
            }
        }
        let others = |room: &&Arc<str>| !told.contains_key(&***room) && is_in(room) && takes(room);
        let others: Vec<&Arc<str>> = if typing.rooms.len() < warm.rooms.len() {
            typing.rooms.keys().filter(others).collect()
        } else {
            warm.rooms.keys().filter(|room| typing.rooms.contains_key(*room)).filter(others).collect()
        };
        others.into_iter().for_each(|room| to_tell.add(room.clone(), now_in(room), None));
        to_tell.token.sort();
        to_tell
    }

    fn wake_rooms(&self, rooms: &[Arc<str>]) {
        if rooms.is_empty() {
            return;
        }
        let state = self.state.read();
        let woken: Vec<_> = rooms.iter().flat_map(|room| state.warm.listeners(room)).cloned().collect();
        drop(state);
        woken.iter().for_each(|user| user.wake());
        self.metrics.woken(woken.len());
    }

    fn wake_shard(&self, shard: ShardId) {
        let state = self.state.read();
        let woken: Vec<_> = state.warm.rooms().filter(|room| self.shards.shard_of(room) == shard).cloned().collect();
        drop(state);
        self.wake_rooms(&woken);
    }
}

impl TypingToTell {
    /// Takes in a room with all who type there, and what was told of it before.
    fn add(&mut self, room: Arc<str>, users: Vec<String>, before: Option<&str>) {
        let now = (!users.is_empty()).then(|| digest(&users));
        // Who is not told that somebody types need not be told that they stopped.
        if now.as_deref() == before || (before.is_none() && self.token.len() >= MAX_ROOMS) {
            self.token.extend(now.filter(|_| before.is_some()).map(|now| format!("{now}{room}")));
            return;
        }
        self.token.extend(now.map(|now| format!("{now}{room}")));
        self.rooms.insert(room, users);
    }
}

/// Short, and the same for the same users in every process.
fn digest(users: &[String]) -> String {
    let mut digest = blake3::hash(users.join("\n").as_bytes()).to_hex().to_string();
    digest.truncate(DIGEST);
    digest
}
