//! What an event says it relates to (client-server specification, "Forming relationships between events").

use banyan_proto::rooms as proto;
use ruma::{EventId, OwnedEventId};
use serde::Deserialize;

/// The relation of a thread's events to its root.
pub const THREAD: &str = "m.thread";
/// The relation of an edit to the event it edits.
pub const REPLACE: &str = "m.replace";
/// The relation of events that merely refer to another.
pub const REFERENCE: &str = "m.reference";
/// The relation of a reaction to the event it is to.
pub const ANNOTATION: &str = "m.annotation";

/// The longest `rel_type` and the longest `key` that count, in bytes.
const MAX_TEXT: usize = 255;

/// `content.m.relates_to` with a `rel_type`; mere replies have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The type of the relation; never empty.
    pub rel_type: String,
    /// The event that it relates to.
    pub event_id: OwnedEventId,
    /// Of an annotation: its `key`; else empty.
    pub key: String,
}

#[derive(Deserialize)]
struct Event {
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "m.relates_to")]
    relates_to: RelatesTo,
}

#[derive(Deserialize)]
struct RelatesTo {
    rel_type: String,
    event_id: String,
    #[serde(default)]
    key: Option<serde_json::Value>,
}

impl Relation {
    /// Of a stored event. What does not fit the schema counts as none.
    #[must_use]
    pub fn of_pdu(pdu: &[u8]) -> Option<Self> {
        // Most events have none, and are not parsed.
        if !mentions(pdu) {
            return None;
        }
        Self::new(serde_json::from_slice::<Event>(pdu).ok()?.content)
    }

    /// Of the JSON text of a content.
    #[must_use]
    pub fn of_content(content: &[u8]) -> Option<Self> {
        if !mentions(content) {
            return None;
        }
        Self::new(serde_json::from_slice::<Content>(content).ok()?)
    }

    fn new(Content { relates_to }: Content) -> Option<Self> {
        let RelatesTo { rel_type, event_id, key } = relates_to;
        if rel_type.is_empty() || rel_type.len() > MAX_TEXT {
            return None;
        }
        let key = key.as_ref().and_then(serde_json::Value::as_str).filter(|key| rel_type == ANNOTATION && key.len() <= MAX_TEXT);
        let key = key.unwrap_or_default().to_owned();
        Some(Self { event_id: EventId::parse(event_id).ok()?, rel_type, key })
    }

    /// As an entry carries it; the place is not known.
    #[must_use]
    pub fn to_proto(&self) -> proto::Relation {
        let Self { rel_type, event_id, key } = self.clone();
        proto::Relation { rel_type, event_id: event_id.into(), key, ..proto::Relation::default() }
    }
}

/// Whether the text has a relation somewhere. JSON of stored events is canonical, so that the name is not escaped.
fn mentions(json: &[u8]) -> bool {
    const NAME: &[u8] = b"\"m.relates_to\"";
    json.windows(NAME.len()).any(|window| window == NAME)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(relates_to: &serde_json::Value) -> Option<(String, String, String)> {
        let content = json!({ "m.relates_to": relates_to });
        let pdu = json!({"type": "m", "content": content}).to_string();
        let relation = Relation::of_pdu(pdu.as_bytes());
        assert_eq!(relation, Relation::of_content(content.to_string().as_bytes()));
        relation.map(|relation| (relation.rel_type, relation.event_id.to_string(), relation.key))
    }

    #[test]
    fn what_fits_the_schema_is_a_relation() {
        let text = |text: &str| text.to_owned();
        assert_eq!(of(&json!({"rel_type": "m.thread", "event_id": "$r"})), Some((text("m.thread"), text("$r"), text(""))));
        let reaction = json!({"rel_type": "m.annotation", "event_id": "$r", "key": "x"});
        assert_eq!(of(&reaction), Some((text("m.annotation"), text("$r"), text("x"))));
        // A key of something else is none.
        assert_eq!(of(&json!({"rel_type": "a", "event_id": "$r", "key": "x"})), Some((text("a"), text("$r"), text(""))));
        for none in [
            json!({"m.in_reply_to": {"event_id": "$r"}}),
            json!({"rel_type": "m.thread"}),
            json!({"rel_type": "", "event_id": "$r"}),
            json!({"rel_type": "m.thread", "event_id": "r"}),
            json!({"rel_type": 1, "event_id": "$r"}),
            json!({"rel_type": "x".repeat(256), "event_id": "$r"}),
            json!("m.thread"),
        ] {
            assert_eq!(of(&none), None, "{none}");
        }
        assert_eq!(Relation::of_pdu(b"nonsense \"m.relates_to\""), None);
    }
}
