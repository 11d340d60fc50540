//! Aggregations of child events for one reader: `unsigned.m.relations` (client-server specification, "Aggregations of child events").
//!
//! Of the relations that the specification has, `m.thread`, `m.replace` and `m.reference` are bundled. Children of users whom the reader
//! ignores count for nothing, nor do those that the reader may not see.

use std::collections::{BTreeMap, HashMap, HashSet};

use banyan_core::{LogSeq, TimestampMicros};
use banyan_proto::rooms::RelationRow;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{DeviceId, EventId, OwnedEventId, OwnedRoomId, RoomId, UserId};
use serde::Deserialize;

use crate::{
    ReadError, RoomPlace,
    client_event::{Viewer, client_event_with},
    reader::{RelationsQuery, RoomReader, StoredEvent},
    relation::{REFERENCE, REPLACE, Relation, THREAD},
    visibility::{VisibilityFilter, Visible},
};

/// The most events of a thread that are counted.
const MAX_THREAD: usize = 5_000;
/// The most edits of an event that are looked at, and the most references that are listed; the newest.
const MAX_OTHERS: usize = 1_000;
/// The most children of one kind that are judged one by one, where a reader does not see all of them; the newest.
const MAX_JUDGED: usize = 200;
/// Events whose children are read at once.
const PARALLEL: usize = 8;

/// `m.relations` of events, JSON of an object each.
pub type Bundles = BTreeMap<OwnedEventId, Vec<u8>>;

/// For whom aggregations are made.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// The reader.
    pub user_id: &'a UserId,
    /// Their device.
    pub device_id: Option<&'a DeviceId>,
    /// Users whom they ignore.
    pub ignored: &'a HashSet<String>,
    /// Children count that were placed below this position; `None`: all.
    pub upto: Option<LogSeq>,
    /// Whether events say which room they are of: an endpoint's events all do, or none.
    pub with_room_id: bool,
    /// When they read.
    pub now: TimestampMicros,
}

/// Makes the aggregations of events of one room. Remembers what it found of the reader: use one for all events of a request.
#[derive(Debug)]
pub struct Bundler<'a> {
    reader: RoomReader,
    room_id: OwnedRoomId,
    audience: Audience<'a>,
    visibility: VisibilityFilter,
}

/// What of an event its aggregations depend on.
#[derive(Deserialize)]
struct Outline {
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state_key: Option<serde::de::IgnoredAny>,
}

/// The children of an event that count, newest first.
#[derive(Default)]
struct Children {
    thread: Vec<Child>,
    replace: Vec<Child>,
    reference: Vec<Child>,
}

type Child = (RoomPlace, RelationRow);

/// An event and its children.
struct Family<'a> {
    parent: &'a StoredEvent,
    outline: Outline,
    children: Children,
}

impl<'a> Bundler<'a> {
    /// For events of this room.
    #[must_use]
    pub fn new(reader: &RoomReader, room_id: &RoomId, audience: Audience<'a>) -> Self {
        let visibility = VisibilityFilter::new(reader.clone(), room_id.to_owned(), audience.user_id.to_owned());
        Self { reader: reader.clone(), room_id: room_id.to_owned(), audience, visibility }
    }

    /// The aggregations of those of `events` that have any. Every one of them costs reads: ask [`RoomReader::related`] first.
    ///
    /// # Errors
    /// The store's.
    pub async fn bundle(&mut self, events: &[&StoredEvent]) -> Result<Bundles, ReadError> {
        self.aggregate(events, true).await
    }

    async fn aggregate(&mut self, events: &[&StoredEvent], with_threads: bool) -> Result<Bundles, ReadError> {
        let mut families = self.families(events, with_threads).await?;
        for family in &mut families {
            self.keep_visible(family).await?;
        }
        // Collected, for a lazy iterator hides from the compiler that the future may move between threads.
        let wanted: Vec<OwnedEventId> = families.iter().flat_map(Family::shown).collect();
        let shown = self.shown(&wanted).await?;
        let mut nested = Bundles::new();
        if with_threads {
            let related = self.reader.related(&self.room_id, shown.values().map(|visible| &visible.event)).await?;
            let latest: Vec<&StoredEvent> =
                shown.values().map(|visible| &visible.event).filter(|event| related.contains(&event.event_id)).collect();
            if !latest.is_empty() {
                nested = Box::pin(self.aggregate(&latest, false)).await?;
            }
        }
        let mut bundles = Bundles::new();
        for family in &families {
            if let Some(bundle) = self.render(family, &shown, &nested)? {
                bundles.insert(family.parent.event_id.clone(), bundle);
            }
        }
        Ok(bundles)
    }

    /// The events that can have aggregations, with all their children.
    async fn families<'e>(&self, events: &[&'e StoredEvent], with_threads: bool) -> Result<Vec<Family<'e>>, ReadError> {
        let families: Vec<_> = events.iter().map(|event| self.family(event, with_threads)).collect();
        let families: Vec<_> = stream::iter(families).buffered(PARALLEL).try_collect().await?;
        Ok(families.into_iter().flatten().collect())
    }

    async fn family<'e>(&self, parent: &'e StoredEvent, with_threads: bool) -> Result<Option<Family<'e>>, ReadError> {
        let outline: Outline = serde_json::from_slice(&parent.pdu).map_err(|error| ReadError::corrupt("timeline", error))?;
        // State events have none, nor do events that clients are not shown.
        if outline.state_key.is_some() || !parent.is_shown() {
            return Ok(None);
        }
        let own = Relation::of_pdu(&parent.pdu);
        let mut children = Children::default();
        // An event that relates to another is no thread's root.
        if with_threads && own.is_none() {
            children.thread = self.children(parent, THREAD, MAX_THREAD).await?;
        }
        // A redacted event has no edits, and edits have none.
        if parent.redaction.is_none() && own.is_none_or(|own| own.rel_type != REPLACE) {
            children.replace = self.children(parent, REPLACE, MAX_OTHERS).await?;
            children.replace.retain(|(_, row)| is_edit(row, &outline));
        }
        children.reference = self.children(parent, REFERENCE, MAX_OTHERS).await?;
        Ok(Some(Family { parent, outline, children }))
    }

    async fn children(&self, parent: &StoredEvent, rel_type: &str, limit: usize) -> Result<Vec<Child>, ReadError> {
        let query = RelationsQuery::newest(Some(rel_type), limit);
        let (mut rows, _) = self.reader.relations(&self.room_id, &parent.event_id, query).await?;
        let Audience { ignored, upto, .. } = self.audience;
        rows.retain(|(_, row)| !ignored.contains(&row.sender) && upto.is_none_or(|upto| row.seq < upto.0));
        Ok(rows)
    }

    async fn keep_visible(&mut self, family: &mut Family<'_>) -> Result<(), ReadError> {
        let Children { thread, replace, reference } = &mut family.children;
        let first = [&*thread, replace, reference].into_iter().flatten().map(|(place, _)| *place).min();
        let Some(first) = first else { return Ok(()) };
        let since = family.parent.place.unwrap_or(RoomPlace::START).min(first.before());
        if self.visibility.sees_all_since(since).await? {
            return Ok(());
        }
        for children in [thread, replace, reference] {
            self.judge(children).await?;
        }
        Ok(())
    }

    async fn judge(&mut self, children: &mut Vec<Child>) -> Result<(), ReadError> {
        children.truncate(MAX_JUDGED);
        let ids: Vec<&str> = children.iter().map(|(_, row)| row.event_id.as_str()).collect();
        let events = self.reader.events(&self.room_id, &ids).await?;
        let mut seen = Vec::with_capacity(events.len());
        for event in events {
            seen.push(match event {
                Some(event) => self.visibility.sees(&event).await?.is_some(),
                None => false,
            });
        }
        let mut seen = seen.into_iter();
        children.retain(|_| seen.next().unwrap_or(false));
        Ok(())
    }

    /// Events that are shown within others.
    async fn shown(&mut self, ids: &[OwnedEventId]) -> Result<HashMap<OwnedEventId, Visible>, ReadError> {
        let mut shown = HashMap::new();
        for event in self.reader.events(&self.room_id, ids).await?.into_iter().flatten() {
            if let Some(membership) = self.visibility.sees(&event).await? {
                shown.insert(event.event_id.clone(), Visible { event, membership });
            }
        }
        Ok(shown)
    }

    fn render(
        &self,
        family: &Family<'_>,
        shown: &HashMap<OwnedEventId, Visible>,
        nested: &Bundles,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let mut out: Vec<u8> = Vec::new();
        let Children { thread, reference, .. } = &family.children;
        if !reference.is_empty() {
            let chunk: Vec<_> = reference.iter().rev().map(|(_, row)| serde_json::json!({ "event_id": row.event_id })).collect();
            member(&mut out, REFERENCE, serde_json::json!({ "chunk": chunk }).to_string().as_bytes());
        }
        if let Some(edit) = family.edit().and_then(|id| shown.get(&id)) {
            member(&mut out, REPLACE, &self.event(edit, nested)?);
        }
        if let Some(latest) = family.latest().and_then(|id| shown.get(&id)) {
            let user = self.audience.user_id.as_str();
            let participated = family.outline.sender == user || thread.iter().any(|(_, row)| row.sender == user);
            let mut inner: Vec<u8> = Vec::new();
            member(&mut inner, "count", thread.len().to_string().as_bytes());
            member(&mut inner, "current_user_participated", if participated { b"true" } else { b"false" });
            member(&mut inner, "latest_event", &self.event(latest, nested)?);
            inner.push(b'}');
            member(&mut out, THREAD, &inner);
        }
        if out.is_empty() {
            return Ok(None);
        }
        out.push(b'}');
        Ok(Some(out))
    }

    fn event(&self, visible: &Visible, nested: &Bundles) -> Result<Vec<u8>, ReadError> {
        let Audience { user_id, device_id, now, with_room_id, .. } = self.audience;
        let viewer = Viewer { user_id, device_id, membership: Some(visible.membership.as_str()), now };
        let relations = nested.get(&visible.event.event_id).map(Vec::as_slice);
        client_event_with(&visible.event, Some(&*self.room_id).filter(|_| with_room_id), viewer, relations)
    }
}

impl Family<'_> {
    /// The most recent edit: by the time it says, then by its id.
    fn edit(&self) -> Option<OwnedEventId> {
        let time = |(_, row): &&Child| (row.origin_server_ts, row.event_id.clone());
        id(self.children.replace.iter().max_by_key(time)?)
    }

    /// The latest event of the thread.
    fn latest(&self) -> Option<OwnedEventId> {
        id(self.children.thread.first()?)
    }

    fn shown(&self) -> Vec<OwnedEventId> {
        self.edit().into_iter().chain(self.latest()).collect()
    }
}

fn id((_, row): &Child) -> Option<OwnedEventId> {
    EventId::parse(&row.event_id).ok()
}

/// Whether a child is a valid replacement of its parent, as far as it has the parent's sender and type and says with what.
fn is_edit(row: &RelationRow, parent: &Outline) -> bool {
    // What encrypted events say instead is within them.
    let says = row.new_content || row.r#type == "m.room.encrypted";
    says && !row.state && row.sender == parent.sender && row.r#type == parent.kind
}

/// Adds a member to an object that lacks its last brace.
fn member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    out.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(json);
}
