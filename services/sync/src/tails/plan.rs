//! What a response has to tell, taken from the tails at one moment.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use banyan_core::{LogSeq, ShardCount, ShardId};
use banyan_proto::rooms::RoomHead;
use banyan_rooms::stream_token::StreamToken;

use super::{
    change::{Membership, RoomChange, UserChange},
    state::{RoomTail, State},
    warm::Standing,
};

/// What happened between a token and a moment.
#[derive(Debug)]
pub struct Plan {
    /// The moment: the next token.
    pub token: StreamToken,
    /// Rooms in which something may have to be told.
    pub rooms: Vec<RoomPlan>,
    /// Changes of the user; `None`: the tail does not reach back to the token.
    pub user: Option<Vec<Arc<UserChange>>>,
    /// Users whom the user ignores.
    pub ignored: Arc<HashSet<String>>,
}

impl Plan {
    /// Events of these rooms on which push rules were not checked yet.
    #[must_use]
    pub fn unjudged(&self) -> Vec<(Arc<str>, LogSeq)> {
        let joined = self.rooms.iter().filter(|plan| plan.standing.membership == Membership::Join);
        joined.filter_map(|plan| Some((plan.room.clone(), plan.unjudged?.last))).collect()
    }

    /// Moves the moment back to before the events on which push rules were not checked; whether there was one.
    pub fn leave_unjudged(&mut self, shards: ShardCount) -> bool {
        let mut cuts = Cuts::default();
        for plan in self.rooms.iter().filter(|plan| plan.standing.membership == Membership::Join) {
            cuts.before(shards.shard_of(&plan.room), plan.unjudged, plan.since);
        }
        for plan in &self.rooms {
            cuts.keep(shards.shard_of(&plan.room), plan.standing.seq, plan.changes.is_some());
        }
        for plan in &mut self.rooms {
            if let Some(cut) = cuts.of(shards.shard_of(&plan.room)) {
                plan.cut(cut);
            }
        }
        cuts.apply(&mut self.token)
    }
}

/// What a moment is moved back to, by shard.
#[derive(Debug, Default)]
pub(super) struct Cuts(BTreeMap<ShardId, LogSeq>);

impl Cuts {
    /// Before the first of these events, unless it was told without its count already.
    pub(super) fn before(&mut self, shard: ShardId, unjudged: Option<Unjudged>, since: Option<LogSeq>) {
        let Some(first) =
            unjudged.zip(since).map(|(unjudged, since)| (unjudged.first, since)).filter(|(first, since)| first >= since)
        else {
            return;
        };
        let cut = self.0.entry(shard).or_insert(first.0);
        *cut = first.0.min(*cut);
    }

    /// Not in a shard where the user came into a room or left it since, for where they stand is known for now only; nor where the rows
    /// have to tell.
    pub(super) fn keep(&mut self, shard: ShardId, stands_since: LogSeq, in_tail: bool) {
        if !in_tail || self.of(shard).is_some_and(|cut| stands_since >= cut) {
            self.0.remove(&shard);
        }
    }

    fn of(&self, shard: ShardId) -> Option<LogSeq> {
        self.0.get(&shard).copied()
    }

    /// Moves a token back; whether it moved.
    pub(super) fn apply(self, token: &mut StreamToken) -> bool {
        let moved = !self.0.is_empty();
        for (shard, cut) in self.0 {
            token.rooms[usize::from(shard.0)] = cut;
        }
        moved
    }
}

/// What happened in a room.
#[derive(Debug)]
pub struct RoomPlan {
    /// The room.
    pub room: Arc<str>,
    /// The token's position in the room's shard; `None`: the room is told from its beginning.
    pub since: Option<LogSeq>,
    /// The moment's position in it.
    pub upto: LogSeq,
    /// Where the user stands.
    pub standing: Standing,
    /// Entries in which the user's own membership changed, in order. Empty if `changes` is none.
    pub own: Vec<Arc<RoomChange>>,
    /// The room's entries, in order; `None`: the tail does not reach back to the token, the rows have to tell.
    pub changes: Option<Vec<Arc<RoomChange>>>,
    /// The room at the moment, where the tail knows it.
    pub head: Option<Arc<RoomHead>>,
    /// Events on which push rules were not checked.
    pub unjudged: Option<Unjudged>,
    /// When its counts moved last.
    pub counted: Counted,
}

/// The events of a room on which push rules were not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// The first of them that the tail has.
    pub first: LogSeq,
    /// The last.
    pub last: LogSeq,
}

impl RoomPlan {
    /// Moves the moment back.
    pub(super) fn cut(&mut self, upto: LogSeq) {
        self.upto = upto;
        self.own.retain(|change| change.seq < upto);
        if let Some(changes) = &mut self.changes {
            changes.retain(|change| change.seq < upto);
        }
    }
}

/// When what is unread in a room moved last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// From where on the tail would tell.
    pub first: LogSeq,
    /// What everybody has not read; `None`: not since then.
    pub everybody: Option<LogSeq>,
    /// What the user has not read, by themselves.
    pub user: Option<LogSeq>,
}

impl State {
    /// The position of everything that was taken in, for a user of `shard`.
    pub(super) fn position(&self, user_shard: ShardId, since: Option<&StreamToken>) -> StreamToken {
        StreamToken {
            user: self.users[usize::from(user_shard.0)].next,
            rooms: self.rooms.iter().map(|tail| tail.next).collect(),
            ..since.cloned().unwrap_or_default()
        }
    }

    /// Whether this process has seen all that a token has.
    pub(super) fn reached(&self, user_shard: ShardId, token: &StreamToken) -> bool {
        self.users[usize::from(user_shard.0)].next >= token.user
            && self.rooms.iter().zip(&token.rooms).all(|(tail, position)| tail.next >= *position)
    }

    /// What happened to a warm user since a token that was reached; `None` if the user is not warm.
    pub(super) fn plan(&self, user: &str, since: Option<&StreamToken>) -> Option<Plan> {
        self.plan_rooms(user, since, false)
    }

    /// The same with every room of the user, whether something happened in it or not.
    pub(super) fn plan_all(&self, user: &str, since: &StreamToken) -> Option<Plan> {
        self.plan_rooms(user, Some(since), true)
    }

    fn plan_rooms(&self, user: &str, since: Option<&StreamToken>, all: bool) -> Option<Plan> {
        let warm = self.warm.get(user).filter(|warm| warm.handle.loaded.initialized())?;
        let user_shard = self.shards.shard_of(user);
        let rooms: BTreeSet<&Arc<str>> = match since {
            None => warm.rooms.keys().collect(),
            Some(_) if all => warm.rooms.keys().collect(),
            Some(token) => self.changed(user, token, &warm.rooms),
        };
        let rooms = rooms.into_iter().filter_map(|room| {
            let standing = warm.rooms.get(room)?;
            Some(self.room_plan(user, room, standing, since.map(|token| token.room(self.shards.shard_of(room)))))
        });
        let own = since.filter(|token| self.users[usize::from(user_shard.0)].covers(token.user));
        let own = own.map(|token| {
            let changes = self.by_user.get(user).into_iter().flatten();
            changes.filter(|change| change.seq >= token.user).cloned().collect()
        });
        Some(Plan { token: self.position(user_shard, since), rooms: rooms.collect(), user: own, ignored: warm.ignored.clone() })
    }

    /// The rooms of a user in which something may have happened.
    fn changed<'a>(
        &'a self,
        user: &str,
        since: &StreamToken,
        rooms: &'a std::collections::HashMap<Arc<str>, Arc<Standing>>,
    ) -> BTreeSet<&'a Arc<str>> {
        let mut changed = BTreeSet::new();
        let mut entries = 0;
        let mut uncovered = false;
        for shard in self.shards.shards() {
            let tail = &self.rooms[usize::from(shard.0)];
            uncovered |= !tail.covers(since.room(shard));
            entries += tail.since(since.room(shard)).len();
        }
        if entries > rooms.len() || uncovered {
            for (room, standing) in rooms {
                let shard = self.shards.shard_of(room);
                let position = since.room(shard);
                let tail = self.by_room.get(room);
                let touched = tail.and_then(|tail| tail.changes.back()).is_some_and(|change| change.seq >= position);
                let unknown = !self.rooms[usize::from(shard.0)].covers(position)
                    && (standing.membership == Membership::Join || standing.seq >= position);
                if unknown || (touched && standing.membership == Membership::Join) {
                    changed.insert(room);
                }
            }
        } else {
            for shard in self.shards.shards() {
                let tail = &self.rooms[usize::from(shard.0)];
                let joined = |change: &&Arc<RoomChange>| {
                    rooms.get(&change.room).is_some_and(|standing| standing.membership == Membership::Join)
                };
                changed.extend(tail.since(since.room(shard)).filter(joined).map(|change| &change.room));
            }
        }
        let own = self.by_member.get(user).into_iter().flatten();
        changed
            .extend(own.filter(|change| change.seq >= since.room(self.shards.shard_of(&change.room))).map(|change| &change.room));
        changed
    }

    pub(super) fn room_plan(&self, user: &str, room: &Arc<str>, standing: &Standing, since: Option<LogSeq>) -> RoomPlan {
        let shard = self.shards.shard_of(room);
        let shard_tail = &self.rooms[usize::from(shard.0)];
        let tail = self.by_room.get(room);
        let changes: Option<Vec<Arc<RoomChange>>> = since
            .filter(|position| shard_tail.covers(*position))
            .map(|position| tail.into_iter().flat_map(|tail| tail.since(position)).cloned().collect())
            .filter(|changes: &Vec<Arc<RoomChange>>| !changes.iter().any(|change| change.bulk));
        let own = changes.iter().flatten().filter(|change| change.membership_of(user).is_some()).cloned().collect();
        RoomPlan {
            room: room.clone(),
            since,
            upto: shard_tail.next,
            standing: standing.clone(),
            own,
            changes,
            head: tail.and_then(|tail| tail.head.clone()),
            unjudged: tail.and_then(RoomTail::unjudged),
            counted: Counted {
                first: shard_tail.first,
                everybody: tail.and_then(|tail| tail.counted),
                user: tail.and_then(|tail| tail.counted_of.get(user).copied()),
            },
        }
    }
}
