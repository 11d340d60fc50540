//! What the tails hold, by shard, by room and by user.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use banyan_core::{LogSeq, ShardCount, ShardId, TimestampMicros};
use banyan_proto::rooms::RoomHead;

use super::{
    change::{RoomChange, UserChange, UserChangeKind},
    decode::{DecodedRoom, Redaction},
    glance,
    plan::Unjudged,
    shard::{ShardTail, TailItem},
    warm::{Warm, WarmUser},
};

impl TailItem for RoomChange {
    fn seq(&self) -> LogSeq {
        self.seq
    }
    fn at(&self) -> TimestampMicros {
        self.at
    }
    fn weight(&self) -> usize {
        self.weight
    }
}

impl TailItem for UserChange {
    fn seq(&self) -> LogSeq {
        self.seq
    }
    fn at(&self) -> TimestampMicros {
        self.at
    }
    fn weight(&self) -> usize {
        Self::weight(self)
    }
}

/// Bounds of each shard's tail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) entries: usize,
}

/// A room's part of its shard's tail.
#[derive(Debug, Default)]
pub(super) struct RoomTail {
    pub(super) changes: VecDeque<Arc<RoomChange>>,
    /// The room after the last of them.
    pub(super) head: Option<Arc<RoomHead>>,
    /// The last of them that changed what lists of rooms are filtered by.
    pub(super) traits: Option<LogSeq>,
    /// The last event.
    pub(super) placed: Option<LogSeq>,
    /// Push rules were checked on all events below.
    pub(super) judged: LogSeq,
    /// The last of the changes that moved everybody's counts.
    pub(super) counted: Option<LogSeq>,
    /// The last of the changes that moved those of a user.
    pub(super) counted_of: HashMap<String, LogSeq>,
}

impl RoomTail {
    /// Events on which push rules were not checked.
    pub(super) fn unjudged(&self) -> Option<Unjudged> {
        let last = self.placed.filter(|placed| *placed >= self.judged)?;
        let first = self.since(self.judged).find(|change| change.event.is_some()).map_or(last, |change| change.seq);
        Some(Unjudged { first, last })
    }

    /// The changes from `since` on.
    pub(super) fn since(&self, since: LogSeq) -> impl Iterator<Item = &Arc<RoomChange>> {
        self.changes.range(self.changes.partition_point(|change| change.seq < since)..)
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) shards: ShardCount,
    pub(super) rooms: Vec<ShardTail<RoomChange>>,
    pub(super) users: Vec<ShardTail<UserChange>>,
    pub(super) by_room: HashMap<Arc<str>, RoomTail>,
    /// Entries with a change of a user's membership.
    pub(super) by_member: HashMap<String, VecDeque<Arc<RoomChange>>>,
    pub(super) by_user: HashMap<Arc<str>, VecDeque<Arc<UserChange>>>,
    pub(super) warm: Warm,
    bounds: Bounds,
}

impl State {
    pub(super) fn new(shards: ShardCount, bounds: Bounds) -> Self {
        let count = usize::from(shards.get());
        Self {
            shards,
            rooms: (0..count).map(|_| ShardTail::default()).collect(),
            users: (0..count).map(|_| ShardTail::default()).collect(),
            by_room: HashMap::new(),
            by_member: HashMap::new(),
            by_user: HashMap::new(),
            warm: Warm::default(),
            bounds,
        }
    }

    /// Takes in entries of a room shard, in order; returns whom they wake.
    pub(super) fn apply_rooms(&mut self, shard: ShardId, entries: Vec<DecodedRoom>, next: LogSeq) -> Vec<Arc<WarmUser>> {
        let mut woken: HashSet<Arc<str>> = HashSet::new();
        let mut alone: Vec<Arc<WarmUser>> = Vec::new();
        for entry in entries {
            if let Some(redaction) = entry.redaction {
                self.redact(&redaction);
            }
            if let Some((room, user)) = entry.forgotten {
                self.warm.forgotten(&room, &user);
            }
            if let Some(change) = entry.change {
                if change.wakes {
                    woken.insert(change.room.clone());
                } else {
                    // What is private wakes nobody else.
                    let counted = change.counted.iter().flat_map(|counted| &counted.users);
                    let users = change.receipts.iter().map(|receipt| &receipt.user_id).chain(counted);
                    let users = users.filter_map(|user| self.warm.get(user));
                    alone.extend(users.map(|user| user.handle.clone()));
                }
                self.push_room(shard, Arc::new(change));
            }
            if let Some((room, judged)) = entry.judged
                && let Some(tail) = self.by_room.get_mut(&room)
            {
                tail.judged = tail.judged.max(judged);
            }
            if let Some((room, head)) = entry.head
                && let Some(tail) = self.by_room.get_mut(&room)
            {
                tail.head = Some(Arc::new(head));
            }
        }
        let bounds = self.bounds;
        self.tail(shard).next = next;
        while self.tail(shard).is_over(bounds.bytes, bounds.entries, TimestampMicros(i64::MIN)) {
            self.pop_room(shard);
        }
        woken.iter().flat_map(|room| self.warm.listeners(room)).cloned().chain(alone).collect()
    }

    /// Takes in entries of a user shard, in order; returns whom they wake.
    pub(super) fn apply_users(&mut self, shard: ShardId, entries: Vec<UserChange>, next: LogSeq) -> Vec<Arc<WarmUser>> {
        let mut woken = Vec::new();
        for change in entries {
            let change = Arc::new(change);
            if let UserChangeKind::AccountData { room, kind, content } = &change.kind
                && room.is_empty()
                && kind == "m.ignored_user_list"
            {
                self.warm.ignored(&change.user, change.seq, content);
            }
            woken.extend(self.warm.get(&change.user).map(|state| state.handle.clone()));
            self.by_user.entry(change.user.clone()).or_default().push_back(change.clone());
            self.users[usize::from(shard.0)].push(change);
        }
        let bounds = self.bounds;
        let tail = &mut self.users[usize::from(shard.0)];
        tail.next = next;
        while self.users[usize::from(shard.0)].is_over(bounds.bytes, bounds.entries, TimestampMicros(i64::MIN)) {
            self.pop_user(shard);
        }
        woken
    }

    /// Drops entries older than `oldest`.
    pub(super) fn drop_old(&mut self, oldest: TimestampMicros) {
        for shard in self.shards.shards() {
            while self.tail(shard).is_over(usize::MAX, usize::MAX, oldest) {
                self.pop_room(shard);
            }
            while self.users[usize::from(shard.0)].is_over(usize::MAX, usize::MAX, oldest) {
                self.pop_user(shard);
            }
        }
    }

    /// Goes on at `next` after a hole: what was held is dropped, and everybody's rooms are read anew.
    pub(super) fn reset_rooms(&mut self, shard: ShardId, next: LogSeq) {
        let dropped = self.tail(shard).reset(next);
        dropped.iter().for_each(|change| self.unindex(change));
        self.warm.clear();
    }

    /// The same for a user shard.
    pub(super) fn reset_users(&mut self, shard: ShardId, next: LogSeq) {
        for change in self.users[usize::from(shard.0)].reset(next) {
            self.by_user.remove(&change.user);
        }
        self.warm.clear();
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.rooms.iter().map(ShardTail::bytes).sum::<usize>() + self.users.iter().map(ShardTail::bytes).sum::<usize>()
    }

    fn tail(&mut self, shard: ShardId) -> &mut ShardTail<RoomChange> {
        &mut self.rooms[usize::from(shard.0)]
    }

    fn push_room(&mut self, shard: ShardId, change: Arc<RoomChange>) {
        self.warm.memberships(&change);
        for state in change.state.iter().filter(|state| state.member.is_some()) {
            self.by_member.entry(state.key.clone()).or_default().push_back(change.clone());
        }
        let tail = self.by_room.entry(change.room.clone()).or_default();
        if glance::changes_traits(&change) {
            tail.traits = Some(change.seq);
        }
        if change.event.is_some() {
            tail.placed = Some(change.seq);
        }
        if change.counted.as_ref().is_some_and(|counted| counted.everybody) {
            tail.counted = Some(change.seq);
        }
        for user in change.counts_of() {
            tail.counted_of.insert(user.to_owned(), change.seq);
        }
        tail.changes.push_back(change.clone());
        self.tail(shard).push(change);
    }

    fn pop_room(&mut self, shard: ShardId) {
        if let Some(change) = self.tail(shard).pop() {
            self.unindex(&change);
        }
    }

    /// The oldest entry of its room leaves the indexes.
    fn unindex(&mut self, change: &RoomChange) {
        if let Some(tail) = self.by_room.get_mut(&change.room) {
            tail.changes.pop_front();
            for user in change.counts_of() {
                if tail.counted_of.get(user) == Some(&change.seq) {
                    tail.counted_of.remove(user);
                }
            }
            if tail.changes.is_empty() {
                self.by_room.remove(&change.room);
            }
        }
        for state in change.state.iter().filter(|state| state.member.is_some()) {
            let Some(changes) = self.by_member.get_mut(&state.key) else { continue };
            // Another shard's entries may lie between: not always the first.
            if let Some(index) = changes.iter().position(|other| other.seq == change.seq && other.room == change.room) {
                changes.remove(index);
            }
            if changes.is_empty() {
                self.by_member.remove(&state.key);
            }
        }
    }

    fn pop_user(&mut self, shard: ShardId) {
        let Some(change) = self.users[usize::from(shard.0)].pop() else { return };
        if let Some(changes) = self.by_user.get_mut(&change.user) {
            changes.pop_front();
            if changes.is_empty() {
                self.by_user.remove(&change.user);
            }
        }
    }

    /// Prunes a redacted event wherever it is held.
    fn redact(&self, redaction: &Redaction) {
        let Some(tail) = self.by_room.get(&redaction.room) else { return };
        for change in &tail.changes {
            let state = change.state.iter().filter_map(|state| state.event.as_ref());
            for cell in change.event.iter().chain(state) {
                if cell.get().stored.event_id == redaction.event_id.as_str() {
                    cell.prune(redaction.pdu.clone(), redaction.because.clone());
                }
            }
        }
    }
}
