//! What lists are sorted and filtered by: when something last happened in a room, its type, name, encryption and children. Read once,
//! for many rooms at a time, and valid for as long as the tails show what changes them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use banyan_core::LogSeq;
use banyan_rooms::{
    reader::At,
    stream_token::StreamToken,
    tables::{current_state, room_head},
};
use ruma::RoomId;
use serde::Deserialize;

use crate::{
    error::SyncError,
    source::Source,
    tails::{Glimpse, change::Membership},
};

/// Rooms whose facts are remembered.
const ROOMS: u64 = 200_000;
/// Rooms read at a time.
const BATCH: usize = 500;

/// What a room is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// `type` of its m.room.create.
    pub room_type: Option<String>,
    /// Whether there is an m.room.encryption.
    pub encrypted: bool,
    /// Its m.room.name.
    pub name: Option<String>,
}

/// What is known of a room.
#[derive(Debug)]
struct Facts {
    /// Everything below this position of the room's shard is in.
    position: AtomicU64,
    /// When something last happened, microseconds.
    activity: AtomicI64,
    /// The position of that, or a later one.
    last: AtomicU64,
    traits: Traits,
    /// Whether name and encryption were read.
    has_state: bool,
}

/// The rooms of a space.
#[derive(Debug)]
struct Children {
    position: AtomicU64,
    rooms: HashSet<String>,
}

/// Facts of rooms, kept current from the tails.
#[derive(Debug)]
pub(super) struct FactsCache {
    rooms: moka::sync::Cache<Arc<str>, Arc<Facts>>,
    spaces: moka::sync::Cache<Arc<str>, Arc<Children>>,
    /// By room and position: rooms as they were when a user left them.
    left: moka::sync::Cache<(Arc<str>, LogSeq), Arc<Traits>>,
}

/// Facts of a user's rooms at a moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    rooms: HashMap<Arc<str>, Arc<Facts>>,
    others: HashMap<Arc<str>, Arc<Traits>>,
}

impl Known {
    /// When something last happened that the user may know of, microseconds.
    pub(super) fn activity(&self, glimpse: &Glimpse) -> i64 {
        match self.rooms.get(&glimpse.room) {
            Some(facts) => facts.activity.load(Ordering::SeqCst),
            None => glimpse.standing.at.0,
        }
    }

    /// Whether nothing happened in a room at or after a position. A tail that does not reach back to it cannot tell.
    pub(super) fn is_quiet(&self, room: &Arc<str>, since: LogSeq) -> bool {
        self.rooms.get(room).is_some_and(|facts| facts.last.load(Ordering::SeqCst) < since.0)
    }

    /// What a room is; `None` where it is not known.
    pub(super) fn traits(&self, room: &Arc<str>) -> Option<&Traits> {
        self.rooms.get(room).map(|facts| &facts.traits).or_else(|| self.others.get(room).map(|traits| &**traits))
    }
}

/// Whether what was read at a position still holds, but for changes that `changed` names; if so it holds until `until`.
fn holds(position: &AtomicU64, glimpse: &Glimpse, changed: Option<LogSeq>, until: LogSeq) -> bool {
    let read = position.load(Ordering::SeqCst);
    let holds = read >= glimpse.first.0 && changed.is_none_or(|changed| changed.0 < read);
    if holds {
        position.fetch_max(until.0, Ordering::SeqCst);
    }
    holds
}

impl FactsCache {
    pub(super) fn new() -> Self {
        let cache = || moka::sync::Cache::new(ROOMS);
        Self { rooms: cache(), spaces: moka::sync::Cache::new(ROOMS / 20), left: moka::sync::Cache::new(ROOMS / 20) }
    }

    /// The facts of rooms: of those that the user is in, and with `traits` of all. `state`: with name and encryption.
    pub(super) async fn of(
        &self,
        source: &Source,
        rooms: &[&Glimpse],
        until: &StreamToken,
        (traits, state): (bool, bool),
    ) -> Result<Known, SyncError> {
        let mut known = Known::default();
        let mut unknown = Vec::new();
        for glimpse in rooms {
            match glimpse.standing.membership {
                Membership::Join => match self.held(glimpse, until, state) {
                    Some(facts) => drop(known.rooms.insert(glimpse.room.clone(), facts)),
                    None => unknown.push(*glimpse),
                },
                _ if !traits => {}
                Membership::Invite | Membership::Knock => {
                    if let Some(traits) = stripped_traits(glimpse) {
                        known.others.insert(glimpse.room.clone(), Arc::new(traits));
                    }
                }
                Membership::Leave | Membership::Ban => {
                    if let Some(traits) = self.left(source, glimpse).await? {
                        known.others.insert(glimpse.room.clone(), traits);
                    }
                }
            }
        }
        for some in unknown.chunks(BATCH) {
            self.load(source, some, until, state, &mut known).await?;
        }
        Ok(known)
    }

    fn held(&self, glimpse: &Glimpse, until: &StreamToken, state: bool) -> Option<Arc<Facts>> {
        let facts = self.rooms.get(&glimpse.room).filter(|facts| facts.has_state || !state)?;
        if let Some((last, at)) = glimpse.last {
            facts.activity.fetch_max(at.0, Ordering::SeqCst);
            facts.last.fetch_max(last.0, Ordering::SeqCst);
        }
        let changed = glimpse.traits.filter(|_| facts.has_state);
        holds(&facts.position, glimpse, changed, until.room(glimpse.shard)).then_some(facts)
    }

    async fn load(
        &self,
        source: &Source,
        rooms: &[&Glimpse],
        until: &StreamToken,
        state: bool,
        known: &mut Known,
    ) -> Result<(), SyncError> {
        let store = &**source.rooms.store();
        let ids: Vec<&str> = rooms.iter().map(|glimpse| &*glimpse.room).collect();
        let heads = room_head::multi_get_dated(store, &ids).await?;
        let mut wanted = Vec::new();
        for (room, head) in ids.iter().zip(&heads).filter(|_| state) {
            let buckets = head.as_ref().map_or(1, |(head, _)| head.current_buckets);
            wanted.push((*room, buckets, "m.room.encryption", ""));
            wanted.push((*room, buckets, "m.room.name", ""));
        }
        let rows = current_state::multi_get_of_rooms(store, &wanted).await?;
        for (index, (glimpse, head)) in rooms.iter().zip(heads).enumerate() {
            let Some((head, at)) = head else { continue };
            let mut traits =
                Traits { room_type: Some(head.room_type.clone()).filter(|kind| !kind.is_empty()), ..Traits::default() };
            if let Some([encryption, name]) = rows.get(index * 2..index * 2 + 2) {
                traits.encrypted = encryption.is_some();
                traits.name = name.as_ref().and_then(|row| name_of(&row.pdu));
            }
            let activity = glimpse.last.map_or(at.0, |(_, last)| last.0.max(at.0));
            let last = glimpse.last.map_or(head.seq, |(last, _)| last.0.max(head.seq));
            let facts = Arc::new(Facts {
                position: AtomicU64::new(until.room(glimpse.shard).0),
                activity: AtomicI64::new(activity),
                last: AtomicU64::new(last),
                traits,
                has_state: state,
            });
            self.rooms.insert(glimpse.room.clone(), facts.clone());
            known.rooms.insert(glimpse.room.clone(), facts);
        }
        Ok(())
    }

    /// A room as it was when the user left it.
    async fn left(&self, source: &Source, glimpse: &Glimpse) -> Result<Option<Arc<Traits>>, SyncError> {
        if glimpse.standing.previous != Membership::Join {
            return Ok(None);
        }
        let key = (glimpse.room.clone(), glimpse.standing.seq);
        if let Some(traits) = self.left.get(&key) {
            return Ok(Some(traits));
        }
        let Ok(room) = <&RoomId>::try_from(&*glimpse.room) else { return Ok(None) };
        let Some(place) = source.rooms.place_at(room, glimpse.standing.seq).await? else { return Ok(None) };
        let wanted = [("m.room.create", ""), ("m.room.encryption", ""), ("m.room.name", "")];
        let mut events = source.rooms.state_events(room, &wanted, &At::Place(place)).await?.into_iter();
        let mut next = || events.next().flatten();
        let traits = Arc::new(Traits {
            room_type: next().and_then(|event| type_of(&event.pdu)),
            encrypted: next().is_some(),
            name: next().and_then(|event| name_of(&event.pdu)),
        });
        self.left.insert(key, traits.clone());
        Ok(Some(traits))
    }

    /// The children of a space that the user is in.
    pub(super) async fn children(
        &self,
        source: &Source,
        glimpse: &Glimpse,
        until: &StreamToken,
    ) -> Result<impl Iterator<Item = String> + use<>, SyncError> {
        let at = until.room(glimpse.shard);
        let held = self.spaces.get(&glimpse.room).filter(|held| holds(&held.position, glimpse, glimpse.traits, at));
        let children = match held {
            Some(children) => children,
            None => {
                let children = Arc::new(Children { position: AtomicU64::new(at.0), rooms: read_children(source, glimpse).await? });
                self.spaces.insert(glimpse.room.clone(), children.clone());
                children
            }
        };
        Ok(children.rooms.clone().into_iter())
    }
}

async fn read_children(source: &Source, glimpse: &Glimpse) -> Result<HashSet<String>, SyncError> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "content")]
        _content: Child,
    }
    #[derive(Deserialize)]
    struct Child {
        // Without it, a child is none any more.
        #[serde(rename = "via")]
        _via: Vec<String>,
    }
    let Ok(room) = <&RoomId>::try_from(&*glimpse.room) else { return Ok(HashSet::new()) };
    let Some(head) = source.rooms.head(room).await? else { return Ok(HashSet::new()) };
    let rows = current_state::scan(&**source.rooms.store(), room, head.current_buckets, Some("m.space.child")).await?;
    let children = rows.into_iter().filter(|(_, row)| serde_json::from_slice::<Event>(&row.pdu).is_ok());
    Ok(children.map(|((_, child), _)| child).collect())
}

/// What the state that came with an invite or knock says; `None` if there was none.
fn stripped_traits(glimpse: &Glimpse) -> Option<Traits> {
    #[derive(Deserialize)]
    struct Stripped {
        #[serde(rename = "type")]
        kind: String,
    }
    let approach = glimpse.standing.approach.as_ref().filter(|approach| !approach.stripped.is_empty())?;
    let mut traits = Traits::default();
    for event in &approach.stripped {
        let Ok(Stripped { kind }) = serde_json::from_slice(event) else { continue };
        match kind.as_str() {
            "m.room.create" => traits.room_type = type_of(event),
            "m.room.encryption" => traits.encrypted = true,
            "m.room.name" => traits.name = name_of(event),
            _ => {}
        }
    }
    Some(traits)
}

fn name_of(event: &[u8]) -> Option<String> {
    super::state::content_text(event, "name")
}

fn type_of(event: &[u8]) -> Option<String> {
    super::state::content_text(event, "type")
}
