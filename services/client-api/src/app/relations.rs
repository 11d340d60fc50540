//! The events that relate to another.

use std::collections::{BTreeMap, HashSet};

use banyan_core::ServiceError;
use banyan_proto::rooms::RelationRow;
use banyan_rooms::{
    RoomPlace,
    reader::{Direction, RelationsQuery},
    stream_token::PlaceToken,
    visibility::{VisibilityFilter, Visible},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{EventId, OwnedEventId, RoomId};

use super::{App, Requester};

/// Events of a page at most, and where the client does not say.
const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 20;
/// How deep indirect relations are followed: the specification asks for three levels at least.
pub(crate) const MAX_DEPTH: usize = 3;
/// How many indirectly related events are gathered, the newest of each event's, before they are ordered.
const MAX_GATHERED: usize = 2_000;
/// Events that are looked at for one page, however few of them the caller wants or may see.
const MAX_LOOKED_AT: usize = 1_000;
/// Reads at once.
const PARALLEL: usize = 16;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct RelationsWish {
    pub(crate) rel_type: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) direction: Direction,
    pub(crate) limit: Option<usize>,
    pub(crate) recurse: bool,
}

/// A page of related events, in the client format.
#[derive(Debug)]
pub(crate) struct RelationsPage {
    pub(crate) chunk: Vec<Vec<u8>>,
    pub(crate) next_batch: Option<String>,
    pub(crate) prev_batch: Option<String>,
}

type Child = (RoomPlace, RelationRow);

impl App {
    /// A page of the events that relate to one, as far as the caller may see them.
    ///
    /// # Errors
    /// M_NOT_FOUND for an event that does not exist or that they may not see, M_INVALID_PARAM for a token that is none.
    pub(crate) async fn relations(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &EventId,
        wish: RelationsWish,
    ) -> Result<RelationsPage, ServiceError> {
        self.parent(requester, room_id, event_id).await?;
        let from = match (&wish.from, wish.direction) {
            (Some(token), _) => self.place_of(room_id, token).await?,
            (None, Direction::Backward) => RoomPlace::END,
            (None, Direction::Forward) => RoomPlace::START,
        };
        let to = match &wish.to {
            Some(token) => Some(self.place_of(room_id, token).await?),
            None => None,
        };
        let limit = wish.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let mut source = Source { from, to, gathered: None };
        if wish.recurse {
            source.gathered = Some(self.gather(room_id, event_id, &wish).await?);
        }
        let ignored = self.ignored(requester).await?;
        let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
        let (mut events, mut next, mut looked_at): (Vec<Visible>, _, _) = (Vec::new(), None, 0);
        while events.len() < limit && looked_at < MAX_LOOKED_AT {
            let (children, more) = self.children(room_id, event_id, &wish, &source, limit - events.len()).await?;
            let Some((last, _)) = children.last() else {
                next = None;
                break;
            };
            source.from = if wish.direction == Direction::Backward { last.before() } else { *last };
            next = more.then_some(source.from);
            looked_at += children.len();
            let wanted = |row: &RelationRow| {
                let ignored = !row.state && ignored.contains(&row.sender);
                !ignored && wish.event_type.as_ref().is_none_or(|wanted| *wanted == row.r#type)
            };
            let ids: Vec<&str> = children.iter().filter(|(_, row)| wanted(row)).map(|(_, row)| row.event_id.as_str()).collect();
            let found = self.rooms.events(room_id, &ids).await?;
            events.extend(visibility.filter(found.into_iter().flatten().collect()).await?);
            if !more {
                break;
            }
        }
        let chunk = self.render(requester, room_id, &events.iter().collect::<Vec<_>>()).await?;
        Ok(RelationsPage { chunk, next_batch: next.map(|next| PlaceToken(next).to_string()), prev_batch: wish.from })
    }

    /// Refuses an event that the caller may not see, whatever the reason, as one that does not exist.
    async fn parent(&self, requester: &Requester, room_id: &RoomId, event_id: &EventId) -> Result<(), ServiceError> {
        let missing = || ServiceError::not_found("There is no such event, or you may not see it");
        let event = self.rooms.event(room_id, event_id).await?.ok_or_else(missing)?;
        let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
        visibility.sees(&event).await?.map(|_| ()).ok_or_else(missing)
    }

    /// The next children in the direction, and whether there are more.
    async fn children(
        &self,
        room_id: &RoomId,
        event_id: &EventId,
        wish: &RelationsWish,
        source: &Source,
        limit: usize,
    ) -> Result<(Vec<Child>, bool), ServiceError> {
        match &source.gathered {
            Some(gathered) => Ok(source.page(gathered, wish.direction, limit)),
            None => {
                let (from, to, direction) = (source.from, source.to, wish.direction);
                let query = RelationsQuery { rel_type: wish.rel_type.as_deref(), from, to, direction, limit };
                Ok(self.rooms.relations(room_id, event_id, query).await?)
            }
        }
    }

    /// All that relates to an event, directly or by way of others, in the order of the timeline.
    async fn gather(
        &self,
        room_id: &RoomId,
        event_id: &EventId,
        wish: &RelationsWish,
    ) -> Result<BTreeMap<RoomPlace, RelationRow>, ServiceError> {
        let mut gathered = BTreeMap::new();
        let mut level = vec![event_id.to_owned()];
        let mut known: HashSet<OwnedEventId> = level.iter().cloned().collect();
        for _ in 0..MAX_DEPTH {
            let left = MAX_GATHERED.saturating_sub(gathered.len());
            if level.is_empty() || left == 0 {
                break;
            }
            let query = RelationsQuery::newest(wish.rel_type.as_deref(), left);
            let reads: Vec<_> = level.iter().map(|parent| self.rooms.relations(room_id, parent, query)).collect();
            let found: Vec<_> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
            let children: Vec<Child> = found.into_iter().flat_map(|(rows, _)| rows).take(left).collect();
            let ids: Vec<&str> = children.iter().map(|(_, row)| row.event_id.as_str()).collect();
            let events = self.rooms.events(room_id, &ids).await?;
            let related = self.rooms.related(room_id, events.iter().flatten()).await?;
            // What does not fit the filter leads to nothing else.
            let fits = |row: &RelationRow| wish.event_type.as_ref().is_none_or(|wanted| *wanted == row.r#type);
            level = Vec::new();
            for (place, row) in children {
                let Ok(id) = EventId::parse(&row.event_id) else { continue };
                if !fits(&row) || !known.insert(id.clone()) {
                    continue;
                }
                if related.contains(&id) {
                    level.push(id);
                }
                gathered.insert(place, row);
            }
        }
        Ok(gathered)
    }
}

/// Where children come from, and where to go on.
struct Source {
    from: RoomPlace,
    to: Option<RoomPlace>,
    /// With indirect ones: all of them.
    gathered: Option<BTreeMap<RoomPlace, RelationRow>>,
}

impl Source {
    fn page(&self, gathered: &BTreeMap<RoomPlace, RelationRow>, direction: Direction, limit: usize) -> (Vec<Child>, bool) {
        let child = |(place, row): (&RoomPlace, &RelationRow)| (*place, row.clone());
        let mut page: Vec<Child> = match direction {
            Direction::Backward => {
                let after = self.to.unwrap_or(RoomPlace::START);
                let within = gathered.range(..=self.from).rev().take_while(|(place, _)| **place > after);
                within.take(limit + 1).map(child).collect()
            }
            Direction::Forward => {
                let upto = self.to.unwrap_or(RoomPlace::END);
                let within = gathered.range(self.from..).skip_while(|(place, _)| **place <= self.from);
                within.take_while(|(place, _)| **place <= upto).take(limit + 1).map(child).collect()
            }
        };
        let more = page.len() > limit;
        page.truncate(limit);
        (page, more)
    }
}
