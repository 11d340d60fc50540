//! What a client wants to be told (client-server specification, "Filtering").

mod definition;
mod glob;

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::{
    definition::{EventFilterDefinition, FilterDefinition, RoomEventFilterDefinition},
    glob::Globs,
};
use crate::{config::SyncConfig, error::SyncError, tails::change::RoomEvent};

/// The format of events in a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventFormat {
    /// For clients.
    #[default]
    Client,
    /// As servers exchange it.
    Federation,
}

/// A filter, ready for use.
#[derive(Debug, Default)]
pub struct Filter {
    /// Dot-separated paths of the fields to keep; `None`: all.
    pub event_fields: Option<Vec<Vec<String>>>,
    /// Format of events.
    pub event_format: EventFormat,
    /// Global account data.
    pub account_data: EventFilter,
    /// Which rooms.
    pub rooms: RoomSet,
    /// Whether to tell of rooms that the user left long ago.
    pub include_leave: bool,
    /// Timelines.
    pub timeline: RoomEventFilter,
    /// State.
    pub state: RoomEventFilter,
    /// Receipts and typing notifications.
    pub ephemeral: RoomEventFilter,
    /// Account data of rooms.
    pub room_account_data: RoomEventFilter,
    /// Whether what is unread is counted by thread.
    pub unread_threads: bool,
}

/// Which senders and types.
#[derive(Debug, Default)]
pub struct EventFilter {
    senders: Option<HashSet<String>>,
    not_senders: HashSet<String>,
    types: Option<Globs>,
    not_types: Globs,
}

/// Which rooms.
#[derive(Debug, Default)]
pub struct RoomSet {
    rooms: Option<HashSet<String>>,
    not_rooms: HashSet<String>,
}

/// Which events of which rooms.
#[derive(Debug, Default)]
pub struct RoomEventFilter {
    events: EventFilter,
    rooms: RoomSet,
    contains_url: Option<bool>,
    /// Events at most.
    pub limit: usize,
    /// Events at most of a timeline that goes on where the last response ended.
    pub live_limit: usize,
    /// Members only as far as they are needed to show the timeline.
    pub lazy_load_members: bool,
    /// Send such members again even if they were sent before.
    pub include_redundant_members: bool,
}

impl Filter {
    /// Takes everything, and so many events of a timeline.
    #[must_use]
    pub fn of_timeline(limit: usize) -> Self {
        Self { timeline: RoomEventFilter { limit, live_limit: limit, ..RoomEventFilter::default() }, ..Self::default() }
    }

    /// Reads a filter's JSON; empty: no filter.
    ///
    /// # Errors
    /// [`SyncError::Filter`] for text of the wrong shape.
    pub fn parse(json: &[u8], config: &SyncConfig) -> Result<Self, SyncError> {
        let definition: FilterDefinition = if json.is_empty() {
            FilterDefinition::default()
        } else {
            serde_json::from_slice(json).map_err(|error| SyncError::Filter(error.to_string()))?
        };
        let room = definition.room.unwrap_or_default();
        let timeline = room.timeline.unwrap_or_default();
        let wanted = timeline.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let [limit, live_limit] =
            [config.default_limit, config.live_limit].map(|default| wanted.unwrap_or(default).min(config.max_limit));
        let fields = definition.event_fields.map(|fields| fields.iter().map(|path| split_path(path)).collect());
        Ok(Self {
            event_fields: fields,
            event_format: definition.event_format.unwrap_or_default(),
            account_data: EventFilter::new(definition.account_data.unwrap_or_default()),
            rooms: RoomSet::new(room.rooms, room.not_rooms),
            include_leave: room.include_leave.unwrap_or_default(),
            unread_threads: timeline.unread_thread_notifications.unwrap_or_default(),
            timeline: RoomEventFilter { limit, live_limit, ..RoomEventFilter::new(timeline) },
            state: RoomEventFilter::new(room.state.unwrap_or_default()),
            ephemeral: RoomEventFilter::new(room.ephemeral.unwrap_or_default()),
            room_account_data: RoomEventFilter::new(room.account_data.unwrap_or_default()),
        })
    }
}

/// A dot-separated path; `\.` is a dot and `\\` a backslash within a name (specification, appendices, "Dot-separated property paths").
fn split_path(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = path.chars();
    while let Some(char) = chars.next() {
        match (char, parts.last_mut()) {
            ('.', _) => parts.push(String::new()),
            ('\\', Some(part)) => match chars.next() {
                Some(escaped @ ('.' | '\\')) => part.push(escaped),
                Some(other) => part.extend(['\\', other]),
                None => part.push('\\'),
            },
            (_, Some(part)) => part.push(char),
            (_, None) => {}
        }
    }
    parts
}

impl EventFilter {
    fn new(definition: EventFilterDefinition) -> Self {
        Self {
            senders: definition.senders.map(HashSet::from_iter),
            not_senders: definition.not_senders.unwrap_or_default().into_iter().collect(),
            types: definition.types.map(Globs::new),
            not_types: Globs::new(definition.not_types.unwrap_or_default()),
        }
    }

    /// Whether it takes something of this type, whoever made it.
    #[must_use]
    pub fn takes_type(&self, kind: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.any(kind)) && !self.not_types.any(kind)
    }

    fn takes_sender(&self, sender: &str) -> bool {
        self.senders.as_ref().is_none_or(|senders| senders.contains(sender)) && !self.not_senders.contains(sender)
    }

    fn is_open(&self) -> bool {
        self.senders.is_none() && self.not_senders.is_empty() && self.types.is_none() && self.not_types.is_empty()
    }
}

impl RoomSet {
    fn new(rooms: Option<Vec<String>>, not_rooms: Option<Vec<String>>) -> Self {
        Self { rooms: rooms.map(HashSet::from_iter), not_rooms: not_rooms.unwrap_or_default().into_iter().collect() }
    }

    /// Whether it takes a room.
    #[must_use]
    pub fn takes(&self, room: &str) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room)) && !self.not_rooms.contains(room)
    }
}

impl RoomEventFilter {
    fn new(definition: RoomEventFilterDefinition) -> Self {
        Self {
            limit: usize::MAX,
            live_limit: usize::MAX,
            contains_url: definition.contains_url,
            lazy_load_members: definition.lazy_load_members.unwrap_or_default(),
            include_redundant_members: definition.include_redundant_members.unwrap_or_default(),
            rooms: RoomSet::new(definition.rooms, definition.not_rooms),
            events: EventFilter::new(EventFilterDefinition {
                not_senders: definition.not_senders,
                not_types: definition.not_types,
                senders: definition.senders,
                types: definition.types,
            }),
        }
    }

    /// Whether it takes anything of a room.
    #[must_use]
    pub fn takes_room(&self, room: &str) -> bool {
        self.rooms.takes(room)
    }

    /// Whether it takes something of this type.
    #[must_use]
    pub fn takes_type(&self, kind: &str) -> bool {
        self.events.takes_type(kind)
    }

    /// Whether it takes an event of a room that it takes.
    #[must_use]
    pub fn takes(&self, event: &RoomEvent) -> bool {
        if self.contains_url.is_none() && self.events.is_open() {
            return true;
        }
        self.events.takes_type(&event.kind)
            && self.events.takes_sender(&event.sender)
            && self.contains_url.is_none_or(|wanted| wanted == has_url(&event.stored.pdu))
    }
}

fn has_url(pdu: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        content: Content<'a>,
    }
    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow)]
        url: Option<&'a RawValue>,
    }
    serde_json::from_slice::<Event<'_>>(pdu).ok().and_then(|event| event.content.url).is_some_and(|url| url.get().starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Filter, SyncError> {
        Filter::parse(json.as_bytes(), &SyncConfig::default())
    }

    #[test]
    fn no_filter_takes_everything() {
        let filter = parse("").unwrap();
        assert_eq!((filter.timeline.limit, filter.timeline.live_limit), (10, 50));
        assert!(filter.rooms.takes("!a:b") && filter.account_data.takes_type("m.direct") && !filter.include_leave);
    }

    #[test]
    fn types_may_have_wildcards_and_exclusion_wins() {
        let filter = parse(r#"{"account_data":{"types":["m.*","org.*.x"],"not_types":["m.secret*"]}}"#).unwrap();
        let taken = |kind| filter.account_data.takes_type(kind);
        assert!(taken("m.direct") && taken("org.a.b.x") && !taken("m.secret_storage") && !taken("x.m.direct") && !taken("org.x"));
    }

    #[test]
    fn an_excluded_room_is_excluded_though_listed() {
        let filter = parse(r#"{"room":{"rooms":["!a:x","!b:x"],"not_rooms":["!b:x"]}}"#).unwrap();
        assert!(filter.rooms.takes("!a:x") && !filter.rooms.takes("!b:x") && !filter.rooms.takes("!c:x"));
    }

    #[test]
    fn limits_have_a_maximum() {
        let few = parse(r#"{"room":{"timeline":{"limit":3}}}"#).unwrap().timeline;
        assert_eq!((few.limit, few.live_limit), (3, 3));
        assert_eq!(parse(r#"{"room":{"timeline":{"limit":100000}}}"#).unwrap().timeline.limit, SyncConfig::default().max_limit);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for json in [
            "[]",
            "{",
            r#"{"room":[]}"#,
            r#"{"room":{"timeline":{"limit":"3"}}}"#,
            r#"{"room":{"timeline":{"limit":-1}}}"#,
            r#"{"room":{"timeline":{"types":"m.room.message"}}}"#,
            r#"{"event_format":"xml"}"#,
            r#"{"presence":{"senders":[1]}}"#,
        ] {
            assert!(matches!(parse(json), Err(SyncError::Filter(_))), "{json}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        let json = r#"{"org.x":1,"room":{"timeline":{"unread_thread_notifications":true,"org.y":[]},"ephemeral":{"limit":0}}}"#;
        assert!(parse(json).is_ok());
    }

    #[test]
    fn paths_are_split_at_dots_that_are_not_escaped() {
        assert_eq!(split_path(r"content.m\.relates_to.x"), ["content", "m.relates_to", "x"]);
        assert_eq!(split_path("type"), ["type"]);
    }
}
