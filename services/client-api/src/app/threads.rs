//! The threads of a room, by their latest events.

use std::collections::HashSet;

use banyan_core::ServiceError;
use banyan_proto::rooms::ThreadReplyRow;
use banyan_rooms::{
    RoomPlace,
    client_event::client_event_with,
    reader::{RelationsQuery, StoredEvent},
    relation::{Relation, THREAD},
    stream_token::PlaceToken,
    version::RoomVersion,
    visibility::{Access, VisibilityFilter, Visible},
};
use ruma::{CanonicalJsonObject, EventId, RoomId, canonical_json::redact};

use super::{App, Requester, messages::sender_of};

/// Threads of a page at most, and where the client does not say.
const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 20;
/// Events of threads per read.
const PAGE: usize = 200;
/// Events of threads that are looked at for one page: the client goes on from where it ended.
const MAX_LOOKED_AT: usize = 2_000;
/// The newest events of a thread that are looked at to tell which is its latest, and all that are to tell who takes part.
const MAX_NEWEST: usize = 50;
const MAX_PARTS: usize = 5_000;

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct ThreadsWish {
    /// Only those that the caller takes part in.
    pub(crate) participated: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) from: Option<String>,
}

/// A page of threads' roots, in the client format.
#[derive(Debug)]
pub(crate) struct ThreadsPage {
    pub(crate) chunk: Vec<Vec<u8>>,
    pub(crate) next_batch: Option<String>,
}

/// One request's look at a room.
struct Look<'a> {
    app: &'a App,
    requester: &'a Requester,
    room_id: &'a RoomId,
    ignored: HashSet<String>,
    visibility: VisibilityFilter,
    /// Roots that were shown or that are none.
    done: HashSet<String>,
    /// Earlier pages may have shown a thread already.
    is_later_page: bool,
}

impl App {
    /// A page of the threads whose latest event is the newest, as far as the caller may see them.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_INVALID_PARAM for a token that is none and a limit of nothing.
    pub(crate) async fn threads(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        wish: ThreadsWish,
    ) -> Result<ThreadsPage, ServiceError> {
        let access = self.access(requester, room_id).await?;
        if wish.limit == Some(0) {
            return Err(ServiceError::invalid_param("limit is a number greater than zero"));
        }
        let limit = wish.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let mut from = match &wish.from {
            Some(token) => self.place_of(room_id, token).await?,
            None => RoomPlace::END,
        };
        if let Access::Left(left) = access {
            from = from.min(left);
        }
        let mut look = Look {
            app: self,
            requester,
            room_id,
            ignored: self.ignored(requester).await?,
            visibility: VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone()),
            done: HashSet::new(),
            is_later_page: wish.from.is_some(),
        };
        let (mut roots, mut next, mut looked_at) = (Vec::new(), Some(from), 0);
        while let Some(from) = next.filter(|_| roots.len() < limit && looked_at < MAX_LOOKED_AT) {
            let replies = self.rooms.thread_replies(room_id, from, PAGE).await?;
            looked_at += replies.len();
            next = replies.last().filter(|_| replies.len() == PAGE).map(|(last, _)| last.before());
            for (place, reply) in replies {
                if roots.len() == limit {
                    next = Some(place);
                    break;
                }
                roots.extend(look.root_of(place, &reply, wish.participated).await?);
            }
        }
        let chunk = look.render(&roots).await?;
        Ok(ThreadsPage { chunk, next_batch: next.map(|next| PlaceToken(next).to_string()) })
    }
}

impl Look<'_> {
    /// The root of a thread, if this event is the latest of it and the caller wants and may see it.
    async fn root_of(
        &mut self,
        place: RoomPlace,
        reply: &ThreadReplyRow,
        participated: bool,
    ) -> Result<Option<Visible>, ServiceError> {
        if self.ignored.contains(&reply.sender) || self.done.contains(&reply.root) || !self.sees(&reply.event_id).await? {
            return Ok(None);
        }
        self.done.insert(reply.root.clone());
        let Ok(root_id) = EventId::parse(&reply.root) else { return Ok(None) };
        if self.is_later_page && !self.is_latest(&root_id, place).await? {
            return Ok(None);
        }
        let Some(root) = self.visible(&root_id).await? else { return Ok(None) };
        let is_root = Relation::of_pdu(&root.event.pdu).is_none();
        let wanted = is_root && (!participated || self.takes_part(&root).await?);
        Ok(Some(root).filter(|_| wanted))
    }

    async fn sees(&mut self, event_id: &str) -> Result<bool, ServiceError> {
        let Ok(event_id) = EventId::parse(event_id) else { return Ok(false) };
        Ok(self.visible(&event_id).await?.is_some())
    }

    async fn visible(&mut self, event_id: &EventId) -> Result<Option<Visible>, ServiceError> {
        let Some(event) = self.app.rooms.event(self.room_id, event_id).await? else { return Ok(None) };
        Ok(self.visibility.sees(&event).await?.map(|membership| Visible { event, membership }))
    }

    /// Whether the event at `place` is the latest of its thread: else an earlier page has shown it, or it was shown by a later event.
    async fn is_latest(&mut self, root: &EventId, place: RoomPlace) -> Result<bool, ServiceError> {
        let query = RelationsQuery { to: Some(place), ..RelationsQuery::newest(Some(THREAD), MAX_NEWEST) };
        let (newer, _) = self.app.rooms.relations(self.room_id, root, query).await?;
        for (_, row) in newer {
            if !self.ignored.contains(&row.sender) && self.sees(&row.event_id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn takes_part(&self, root: &Visible) -> Result<bool, ServiceError> {
        let user_id = self.requester.user_id.as_str();
        if sender_of(&root.event.pdu).as_deref() == Some(user_id) {
            return Ok(true);
        }
        let query = RelationsQuery::newest(Some(THREAD), MAX_PARTS);
        let (replies, _) = self.app.rooms.relations(self.room_id, &root.event.event_id, query).await?;
        Ok(replies.iter().any(|(_, row)| row.sender == user_id))
    }

    async fn render(&self, roots: &[Visible]) -> Result<Vec<Vec<u8>>, ServiceError> {
        let events: Vec<&StoredEvent> = roots.iter().map(|visible| &visible.event).collect();
        let bundles = self.app.bundles(self.requester, self.room_id, &events, &self.ignored).await?;
        let version = self.version().await?;
        let mut chunk = Vec::with_capacity(roots.len());
        for root in roots {
            let relations = bundles.get(&root.event.event_id).map(Vec::as_slice);
            let viewer = self.app.viewer(self.requester, root);
            let event = match version {
                Some(version) if self.is_hidden(&root.event) => &pruned(&root.event, version)?,
                _ => &root.event,
            };
            chunk.push(client_event_with(event, Some(self.room_id), viewer, relations)?);
        }
        Ok(chunk)
    }

    /// What an ignored user began is shown as if it were redacted.
    fn is_hidden(&self, root: &StoredEvent) -> bool {
        !self.ignored.is_empty() && sender_of(&root.pdu).is_some_and(|sender| self.ignored.contains(&sender))
    }

    async fn version(&self) -> Result<Option<&'static RoomVersion>, ServiceError> {
        let Some(version) = self.app.rooms.room_version(self.room_id).await? else { return Ok(None) };
        RoomVersion::get(version.as_str()).map(Some).map_err(|error| ServiceError::internal(error.to_string()))
    }
}

/// What a redaction would leave of an event.
fn pruned(event: &StoredEvent, version: &'static RoomVersion) -> Result<StoredEvent, ServiceError> {
    let internal = |error: &dyn std::error::Error| ServiceError::internal(error.to_string());
    let object: CanonicalJsonObject = serde_json::from_slice(&event.pdu).map_err(|error| internal(&error))?;
    let left = redact(object, &version.rules().redaction, None).map_err(|error| internal(&error))?;
    let pdu = serde_json::to_vec(&left).map_err(|error| internal(&error))?;
    Ok(StoredEvent { pdu: pdu.into(), ..event.clone() })
}
