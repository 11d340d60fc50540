//! A RoomEventFilter, for the endpoints that page through a room (client-server API, "Filtering").

use std::collections::HashSet;

use banyan_core::ServiceError;
use ruma::RoomId;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

/// Which events are wanted. An absent list wants all, an empty one none; the negative lists come first.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct EventFilter {
    #[serde(default)]
    types: Option<Vec<String>>,
    #[serde(default)]
    not_types: Vec<String>,
    #[serde(default)]
    senders: Option<Vec<String>>,
    #[serde(default)]
    not_senders: Vec<String>,
    #[serde(default)]
    rooms: Option<Vec<String>>,
    #[serde(default)]
    not_rooms: Vec<String>,
    #[serde(default)]
    contains_url: Option<bool>,
    #[serde(default)]
    pub(crate) lazy_load_members: bool,
    #[serde(default)]
    pub(crate) limit: Option<usize>,
    /// Users whose events are left out, but for state.
    #[serde(skip)]
    ignored: HashSet<String>,
}

/// What of an event a filter looks at.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    sender: String,
    #[serde(default)]
    state_key: Option<IgnoredAny>,
    #[serde(default)]
    content: Map<String, Value>,
}

impl EventFilter {
    /// Reads a filter's JSON.
    ///
    /// # Errors
    /// M_BAD_JSON.
    pub(crate) fn parse(json: &str) -> Result<Self, ServiceError> {
        serde_json::from_str(json).map_err(|error| ServiceError::bad_json(format!("filter: {error}")))
    }

    /// The same filter, without the events of these users, but for state.
    pub(crate) fn ignoring(self, ignored: HashSet<String>) -> Self {
        Self { ignored, ..self }
    }

    /// Whether events of a room are wanted at all.
    pub(crate) fn wants_room(&self, room_id: &RoomId) -> bool {
        let listed = |list: &[String]| list.iter().any(|id| id == room_id.as_str());
        !listed(&self.not_rooms) && self.rooms.as_deref().is_none_or(listed)
    }

    /// Whether a stored event is wanted.
    pub(crate) fn wants(&self, pdu: &[u8]) -> bool {
        serde_json::from_slice::<Event>(pdu).is_ok_and(|event| self.wants_event(&event))
    }

    fn wants_event(&self, event: &Event) -> bool {
        if event.state_key.is_none() && self.ignored.contains(&event.sender) {
            return false;
        }
        let type_in = |list: &[String]| list.iter().any(|pattern| glob(pattern, &event.kind));
        let sender_in = |list: &[String]| list.contains(&event.sender);
        let has_url = event.content.get("url").is_some_and(Value::is_string);
        !type_in(&self.not_types)
            && self.types.as_deref().is_none_or(type_in)
            && !sender_in(&self.not_senders)
            && self.senders.as_deref().is_none_or(sender_in)
            && self.contains_url.is_none_or(|wanted| wanted == has_url)
    }
}

/// Whether a type fits a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"type":"m.room.message","sender":"@a:x","content":{"body":"hi"}}"#;
    const IMAGE: &[u8] = br#"{"type":"m.room.message","sender":"@b:x","content":{"url":"mxc://x/y"}}"#;

    fn wants(filter: &str) -> (bool, bool) {
        let filter = EventFilter::parse(filter).unwrap();
        (filter.wants(TEXT), filter.wants(IMAGE))
    }

    #[test]
    fn lists_are_kept_to() {
        assert_eq!(wants("{}"), (true, true));
        assert_eq!(wants(r#"{"types":[]}"#), (false, false));
        assert_eq!(wants(r#"{"types":["m.room.*"]}"#), (true, true));
        assert_eq!(wants(r#"{"types":["m.room.member"]}"#), (false, false));
        assert_eq!(wants(r#"{"types":["m.room.message"],"not_types":["m.*.message"]}"#), (false, false));
        assert_eq!(wants(r#"{"senders":["@a:x"]}"#), (true, false));
        assert_eq!(wants(r#"{"not_senders":["@a:x"]}"#), (false, true));
        assert_eq!(wants(r#"{"contains_url":true}"#), (false, true));
        assert_eq!(wants(r#"{"contains_url":false}"#), (true, false));
    }

    #[test]
    fn of_the_ignored_only_state_is_wanted() {
        let filter = EventFilter::default().ignoring(HashSet::from(["@a:x".to_owned()]));
        let state = br#"{"type":"m.room.name","state_key":"","sender":"@a:x","content":{}}"#;
        assert_eq!([TEXT, IMAGE, state].map(|pdu| filter.wants(pdu)), [false, true, true]);
    }

    #[test]
    fn patterns_are_whole_and_anchored() {
        for (pattern, text, fits) in [
            ("m.room.message", "m.room.message", true),
            ("m.room", "m.room.message", false),
            ("*", "anything", true),
            ("m.*", "m.room.message", true),
            ("*.message", "m.room.message", true),
            ("m.*.m*e", "m.room.message", true),
            ("m.*.x", "m.room.message", false),
            ("room*", "m.room.message", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_bad_json() {
        assert_eq!(EventFilter::parse("{\"types\":1}").unwrap_err().errcode.as_deref(), Some("M_BAD_JSON"));
    }
}
