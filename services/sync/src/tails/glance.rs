//! All rooms of a user at one moment, without what happened in them: what sliding sync makes its lists of.

use std::{collections::HashSet, sync::Arc};

use banyan_core::{LogSeq, ShardId, TimestampMicros};
use banyan_rooms::stream_token::StreamToken;
use banyan_users::invite_permission;

use super::{
    change::{Membership, RoomChange, UserChange, UserChangeKind},
    plan::{Cuts, RoomPlan, Unjudged},
    state::{RoomTail, State},
    warm::Standing,
};

/// A user's rooms at a moment.
#[derive(Debug)]
pub struct Glance {
    /// The moment.
    pub token: StreamToken,
    /// Every room the user was ever in, in no order.
    pub rooms: Vec<Glimpse>,
    /// Changes of the user since the token; `None`: the tail does not reach back to it, or there was none.
    pub user: Option<Vec<Arc<UserChange>>>,
    /// From where on the user's tail has everything.
    pub user_first: LogSeq,
    /// The last change of the user's direct chats, tags or permission of invites that the tail has.
    pub notes: Option<LogSeq>,
    /// Users whom the user ignores.
    pub ignored: Arc<HashSet<String>>,
}

impl Glance {
    /// Events of rooms of the user's on which push rules were not checked yet.
    #[must_use]
    pub fn unjudged(&self) -> Vec<(Arc<str>, LogSeq)> {
        let joined = self.rooms.iter().filter(|glimpse| glimpse.standing.membership == Membership::Join);
        joined.filter_map(|glimpse| Some((glimpse.room.clone(), glimpse.unjudged?.last))).collect()
    }

    /// Moves the moment back to before the events since a token on which push rules were not checked; whether there was one.
    pub fn leave_unjudged(&mut self, since: &StreamToken) -> bool {
        let mut cuts = Cuts::default();
        for glimpse in self.rooms.iter().filter(|glimpse| glimpse.standing.membership == Membership::Join) {
            cuts.before(glimpse.shard, glimpse.unjudged, Some(since.room(glimpse.shard)));
        }
        for glimpse in &self.rooms {
            cuts.keep(glimpse.shard, glimpse.standing.seq, since.room(glimpse.shard) >= glimpse.first);
        }
        cuts.apply(&mut self.token)
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// The room.
    pub room: Arc<str>,
    /// Its shard.
    pub shard: ShardId,
    /// Where the user stands.
    pub standing: Arc<Standing>,
    /// From where on the tail has everything that happened in the room.
    pub first: LogSeq,
    /// The last thing that the tail has of it, and when that was.
    pub last: Option<(LogSeq, TimestampMicros)>,
    /// The last change of what lists are filtered by that the tail has.
    pub traits: Option<LogSeq>,
    /// Events on which push rules were not checked.
    pub unjudged: Option<Unjudged>,
}

impl Glimpse {
    /// Whether something may have happened in the room at or after a position, as far as a member would be told.
    #[must_use]
    pub fn has_news(&self, since: LogSeq) -> bool {
        since < self.first || self.last.is_some_and(|(last, _)| last >= since)
    }
}

/// Whether a change of a room changes by what it is found in a list: its name, encryption or (of a space) children.
pub(super) fn changes_traits(change: &RoomChange) -> bool {
    const NAMED: [&str; 2] = ["m.room.name", "m.room.encryption"];
    let state = |kind: &str, key: &str| kind == "m.space.child" || (key.is_empty() && NAMED.contains(&kind));
    change.bulk || change.state.iter().any(|changed| state(&changed.kind, &changed.key))
}

/// Whether a change of a user changes the direct chats, tags, or whether invites are told.
fn changes_notes(change: &UserChange) -> bool {
    let UserChangeKind::AccountData { room, kind, .. } = &change.kind else { return false };
    if room.is_empty() { kind == "m.direct" || kind == invite_permission::TYPE } else { kind == "m.tag" }
}

impl State {
    /// A warm user's rooms; `None` if the user is not warm.
    pub(super) fn glance(&self, user: &str, since: Option<&StreamToken>) -> Option<Glance> {
        let warm = self.warm.get(user).filter(|warm| warm.handle.loaded.initialized())?;
        let user_shard = self.shards.shard_of(user);
        let rooms = warm.rooms.iter().map(|(room, standing)| self.glimpse(room, standing)).collect();
        let tail = &self.users[usize::from(user_shard.0)];
        let own = self.by_user.get(user);
        let notes = own.into_iter().flat_map(|changes| changes.iter().rev()).find(|change| changes_notes(change));
        let changes = since.filter(|token| tail.covers(token.user)).map(|token| {
            let changes = own.into_iter().flatten();
            changes.filter(|change| change.seq >= token.user).cloned().collect()
        });
        Some(Glance {
            token: self.position(user_shard, since),
            rooms,
            user: changes,
            user_first: tail.first,
            notes: notes.map(|change| change.seq),
            ignored: warm.ignored.clone(),
        })
    }

    fn glimpse(&self, room: &Arc<str>, standing: &Arc<Standing>) -> Glimpse {
        let shard = self.shards.shard_of(room);
        let tail = self.by_room.get(room);
        Glimpse {
            room: room.clone(),
            shard,
            standing: standing.clone(),
            first: self.rooms[usize::from(shard.0)].first,
            last: tail.and_then(|tail| tail.changes.back()).map(|change| (change.seq, change.at)),
            traits: tail.and_then(|tail| tail.traits),
            unjudged: tail.and_then(RoomTail::unjudged),
        }
    }

    /// What happened in a room, up to a moment that may be past.
    pub(super) fn plan_until(&self, user: &str, until: &StreamToken, glimpse: &Glimpse, since: Option<LogSeq>) -> RoomPlan {
        let mut plan = self.room_plan(user, &glimpse.room, &glimpse.standing, since);
        plan.cut(until.room(glimpse.shard));
        plan
    }
}
