//! Which rooms a response is about: the windows of the lists, and the subscriptions.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use banyan_core::LogSeq;
use banyan_rooms::stream_token::StreamToken;

use super::{
    connection::{self, Connection, Id, RoomConfig, Sent},
    facts::{FactsCache, Known},
    filters::{Candidate, Filters},
    notes::Notes,
    request::Wish,
};
use crate::{
    error::SyncError,
    source::Source,
    tails::{Glance, Glimpse, change::Membership, warm::Approach},
};

/// A room that lists or subscriptions ask for.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub(super) glimpse: &'a Glimpse,
    pub(super) id: Id,
    /// The configurations of all that ask for it, together.
    pub(super) config: RoomConfig,
    /// Names of the lists that show it.
    pub(super) lists: Vec<String>,
    /// Whether it was subscribed to.
    pub(super) subscribed: bool,
}

/// What the lists show.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    /// How many rooms each list has.
    pub(super) counts: BTreeMap<String, usize>,
    /// Rooms that are asked for.
    pub(super) matched: Vec<Matched<'a>>,
    /// What is known of the rooms in the user's list.
    pub(super) known: Known,
}

/// What the windows are cut from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) user: &'a str,
    pub(super) glance: &'a Glance,
    pub(super) since: Option<&'a StreamToken>,
    pub(super) connection: &'a Connection,
    pub(super) notes: &'a Notes,
}

impl View<'_> {
    /// The position until which the client has a room, in the room's shard.
    pub(super) fn has_until(&self, glimpse: &Glimpse, sent: &Sent) -> LogSeq {
        sent.until.or_else(|| self.since.map(|since| since.room(glimpse.shard))).unwrap_or_default()
    }

    fn is_news(&self, glimpse: &Glimpse, id: &Id) -> bool {
        self.connection.room(id).is_some_and(|sent| glimpse.standing.seq >= self.has_until(glimpse, sent))
    }

    /// Whether the room is in the user's list: not if it is over and the client knows, or never had to.
    fn is_listed(&self, glimpse: &Glimpse, id: &Id) -> bool {
        let standing = &glimpse.standing;
        match standing.membership {
            Membership::Join | Membership::Knock => true,
            Membership::Invite => {
                let welcome = |invite: &Approach| !self.glance.ignored.contains(&invite.sender) && !self.notes.blocks_invites();
                standing.approach.as_ref().is_some_and(|invite| welcome(invite))
            }
            Membership::Leave | Membership::Ban => {
                let own_doing = standing.membership == Membership::Leave && standing.sender == self.user;
                let was_told = self.connection.room(id).is_some();
                let removed = !own_doing && (standing.previous == Membership::Join || was_told);
                !standing.forgotten && (removed || self.is_news(glimpse, id))
            }
        }
    }

    /// Whether the user may subscribe to it.
    fn is_open(&self, glimpse: &Glimpse, id: &Id) -> bool {
        let was_in = glimpse.standing.previous == Membership::Join && !glimpse.standing.forgotten;
        was_in || self.is_listed(glimpse, id)
    }

    /// Cuts the windows.
    pub(super) async fn list<'a>(
        &self,
        wish: &Wish,
        source: &Source,
        cache: &FactsCache,
        rooms: &'a [(Id, Glimpse)],
    ) -> Result<Listing<'a>, SyncError> {
        let mut matched: HashMap<&'a str, Matched<'a>> = HashMap::new();
        let mut counts = BTreeMap::new();
        let mut known = Known::default();
        if !wish.lists.is_empty() {
            let listed: Vec<&(Id, Glimpse)> = rooms.iter().filter(|(id, glimpse)| self.is_listed(glimpse, id)).collect();
            let needs = |needs: fn(&Filters) -> bool| wish.lists.values().any(|list| needs(&list.filters));
            let depth = (needs(Filters::needs_traits), needs(Filters::needs_state));
            let glimpses: Vec<&Glimpse> = listed.iter().map(|(_, glimpse)| glimpse).collect();
            known = cache.of(source, &glimpses, &self.glance.token, depth).await?;
            let sorted = sort(listed, &known);
            for (name, list) in &wish.lists {
                let children = self.children(source, cache, &list.filters, rooms).await?;
                let candidate = |glimpse| Candidate { glimpse, traits: known.traits(&glimpse.room), notes: self.notes };
                let passing = sorted.iter().filter(|(_, glimpse)| list.filters.take(&candidate(glimpse), &children));
                let mut count = 0;
                for (index, (id, glimpse)) in passing.enumerate() {
                    count = index + 1;
                    if list.shows(index) {
                        let room = matched.entry(&glimpse.room).or_insert_with(|| Matched::new(*id, glimpse));
                        room.config.add(&list.config);
                        room.lists.push(name.clone());
                    }
                }
                counts.insert(name.clone(), count);
            }
        }
        if !wish.subscriptions.is_empty() {
            let open = rooms.iter().filter(|(_, glimpse)| wish.subscriptions.contains_key(&*glimpse.room));
            for (id, glimpse) in open.filter(|(id, glimpse)| self.is_open(glimpse, id)) {
                let room = matched.entry(&glimpse.room).or_insert_with(|| Matched::new(*id, glimpse));
                if let Some(config) = wish.subscriptions.get(&*glimpse.room) {
                    room.config.add(config);
                }
                room.subscribed = true;
            }
        }
        let mut matched: Vec<Matched<'a>> = matched.into_values().collect();
        matched.sort_by(|one, other| one.glimpse.room.cmp(&other.glimpse.room));
        Ok(Listing { counts, matched, known })
    }

    /// The rooms in any of the spaces that a filter names and the user is in.
    async fn children(
        &self,
        source: &Source,
        cache: &FactsCache,
        filters: &Filters,
        rooms: &[(Id, Glimpse)],
    ) -> Result<HashSet<String>, SyncError> {
        let mut children = HashSet::new();
        let spaces: HashSet<&str> = filters.spaces().iter().map(String::as_str).collect();
        let joined = |glimpse: &&Glimpse| glimpse.standing.membership == Membership::Join && spaces.contains(&*glimpse.room);
        for space in rooms.iter().map(|(_, glimpse)| glimpse).filter(joined) {
            children.extend(cache.children(source, space, &self.glance.token).await?);
        }
        Ok(children)
    }
}

impl<'a> Matched<'a> {
    fn new(id: Id, glimpse: &'a Glimpse) -> Self {
        Self { glimpse, id, config: RoomConfig::default(), lists: Vec::new(), subscribed: false }
    }
}

/// The rooms of a glance with the hashes of their ids.
pub(super) fn with_ids(rooms: &mut Vec<Glimpse>) -> Vec<(Id, Glimpse)> {
    std::mem::take(rooms).into_iter().map(|glimpse| (connection::id(&glimpse.room), glimpse)).collect()
}

/// The most recently active first.
fn sort<'a>(rooms: Vec<&'a (Id, Glimpse)>, known: &Known) -> Vec<&'a (Id, Glimpse)> {
    let mut dated: Vec<(i64, &Arc<str>, &(Id, Glimpse))> =
        rooms.into_iter().map(|room| (known.activity(&room.1), &room.1.room, room)).collect();
    dated.sort_by(|one, other| (other.0, one.1).cmp(&(one.0, other.1)));
    dated.into_iter().map(|(_, _, room)| room).collect()
}
