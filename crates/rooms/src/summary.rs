//! What those see of a room who look for rooms: in directories, in spaces, before they join (client-server specification, "Published
//! Room Directory" and "Spaces").

use banyan_proto::rooms::{RoomHead, RoomSummary};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::visibility;
use ruma::events::room::history_visibility::HistoryVisibility;

/// The types of the state events, all with an empty state key, that a summary is made of.
pub const TYPES: [&str; 8] = [
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
];

/// The longest name and topic, in bytes, that directories show.
const MAX_NAME: usize = 1 << 10;
const MAX_TOPIC: usize = 4 << 10;

/// The summary of a room with this head and state, whose events are given by type and content (JSON text).
pub fn summarise<'a>(head: &RoomHead, state: impl IntoIterator<Item = (&'a str, &'a str)>) -> RoomSummary {
    let mut summary = RoomSummary {
        joined: head.joined,
        // The strictest, where there is no event.
        join_rule: "invite".to_owned(),
        room_type: head.room_type.clone(),
        room_version: head.room_version.clone(),
        ..RoomSummary::default()
    };
    for (event_type, content) in state {
        let content = Content(serde_json::from_str(content).unwrap_or_default());
        match event_type {
            "m.room.avatar" => summary.avatar_url = content.text("url"),
            "m.room.canonical_alias" => summary.canonical_alias = content.text("alias"),
            "m.room.encryption" => summary.encryption = content.text("algorithm"),
            "m.room.guest_access" => summary.guest_can_join = content.text("guest_access") == "can_join",
            "m.room.history_visibility" => summary.world_readable = content.text("history_visibility") == "world_readable",
            "m.room.join_rules" => {
                summary.join_rule = Some(content.text("join_rule")).filter(|rule| !rule.is_empty()).unwrap_or(summary.join_rule);
                summary.allowed_room_ids = content.allowed_room_ids(&summary.join_rule);
            }
            "m.room.name" => summary.name = content.text("name"),
            "m.room.topic" => summary.topic = content.topic(),
            _ => {}
        }
    }
    summary
}

struct Content(Value);

impl Content {
    fn text(&self, field: &str) -> String {
        self.0[field].as_str().unwrap_or_default().to_owned()
    }

    /// The plain text of a topic; where it is given in several representations, that of type text/plain.
    fn topic(&self) -> String {
        let Some(representations) = self.0["m.topic"]["m.text"].as_array() else { return self.text("topic") };
        let plain = representations.iter().find(|text| text["mimetype"].as_str().is_none_or(|mimetype| mimetype == "text/plain"));
        plain.and_then(|text| text["body"].as_str()).unwrap_or_default().to_owned()
    }

    fn allowed_room_ids(&self, join_rule: &str) -> Vec<String> {
        if !matches!(join_rule, "restricted" | "knock_restricted") {
            return Vec::new();
        }
        let conditions = self.0["allow"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rooms = conditions.iter().filter(|condition| condition["type"] == "m.room_membership");
        rooms.filter_map(|condition| condition["room_id"].as_str()).map(str::to_owned).collect()
    }
}

/// Whether anybody may join the room, knock at it, or look into it: whether it is one that may be found.
#[must_use]
pub fn is_open(summary: &RoomSummary) -> bool {
    summary.world_readable || matches!(summary.join_rule.as_str(), "public" | "knock" | "knock_restricted")
}

/// The summary as a directory keeps it: long texts cut short.
#[must_use]
pub fn listed(mut summary: RoomSummary) -> RoomSummary {
    cut(&mut summary.name, MAX_NAME);
    cut(&mut summary.topic, MAX_TOPIC);
    summary
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - '…'.len_utf8()));
        text.push('…');
    }
}

/// Whether a room is public to see for who is not in it: whether anybody may join it, or read it (client-server specification, "User
/// directory").
#[must_use]
pub fn is_public(join_rules: Option<&str>, history_visibility: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Rules<'a> {
        #[serde(borrow)]
        join_rule: Option<&'a RawValue>,
    }
    let rules = join_rules.and_then(|content| serde_json::from_str::<Rules<'_>>(content).ok());
    let public = rules.and_then(|rules| rules.join_rule).is_some_and(|rule| rule.get() == "\"public\"");
    public || history_visibility.is_some_and(|content| visibility::history_visibility(content) == HistoryVisibility::WorldReadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(state: &[(&str, &str)]) -> RoomSummary {
        let head = RoomHead { joined: 3, room_type: "m.space".to_owned(), room_version: "12".to_owned(), ..RoomHead::default() };
        summarise(&head, state.iter().copied())
    }

    #[test]
    fn a_summary_says_what_the_state_says() {
        let summary = of(&[
            ("m.room.avatar", r#"{"url": "mxc://x/a"}"#),
            ("m.room.canonical_alias", r##"{"alias": "#a:x", "alt_aliases": ["#b:x"]}"##),
            ("m.room.encryption", r#"{"algorithm": "m.megolm.v1.aes-sha2"}"#),
            ("m.room.guest_access", r#"{"guest_access": "can_join"}"#),
            ("m.room.history_visibility", r#"{"history_visibility": "world_readable"}"#),
            ("m.room.join_rules", r#"{"join_rule": "public"}"#),
            ("m.room.name", r#"{"name": "Here"}"#),
            ("m.room.topic", r#"{"topic": "This"}"#),
        ]);
        let expected = RoomSummary {
            name: "Here".to_owned(),
            topic: "This".to_owned(),
            avatar_url: "mxc://x/a".to_owned(),
            canonical_alias: "#a:x".to_owned(),
            joined: 3,
            join_rule: "public".to_owned(),
            allowed_room_ids: Vec::new(),
            world_readable: true,
            guest_can_join: true,
            room_type: "m.space".to_owned(),
            encryption: "m.megolm.v1.aes-sha2".to_owned(),
            room_version: "12".to_owned(),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn what_is_not_said_or_is_nonsense_is_not_set() {
        let summary = of(&[
            ("m.room.avatar", "{}"),
            ("m.room.join_rules", r#"{"join_rule": 3}"#),
            ("m.room.name", r#"{"name": ["x"]}"#),
            ("m.room.topic", "nonsense"),
        ]);
        assert_eq!((summary.name.as_str(), summary.topic.as_str(), summary.avatar_url.as_str()), ("", "", ""));
        assert_eq!((summary.join_rule.as_str(), summary.world_readable, summary.guest_can_join), ("invite", false, false));
    }

    #[test]
    fn the_topic_is_the_plain_text() {
        let topic = |content: &str| of(&[("m.room.topic", content)]).topic;
        let both = r#"{"topic": "old", "m.topic": {"m.text": [{"mimetype": "text/html", "body": "<b>x</b>"}, {"body": "x"}]}}"#;
        assert_eq!(topic(both), "x");
        assert_eq!(topic(r#"{"topic": "old", "m.topic": {"m.text": [{"mimetype": "text/html", "body": "<b>x</b>"}]}}"#), "");
        assert_eq!(topic(r#"{"topic": "old", "m.topic": {}}"#), "old");
    }

    #[test]
    fn rooms_that_let_in_are_named_for_restricted_rooms_only() {
        let allow = r#""allow": [{"type": "m.room_membership", "room_id": "!a:x"}, {"type": "other", "room_id": "!b:x"}, 3]"#;
        let allowed = |rule: &str| of(&[("m.room.join_rules", &format!(r#"{{"join_rule": "{rule}", {allow}}}"#))]).allowed_room_ids;
        assert_eq!((allowed("restricted"), allowed("knock_restricted")), (vec!["!a:x".to_owned()], vec!["!a:x".to_owned()]));
        assert!(allowed("public").is_empty());
    }

    #[test]
    fn a_room_is_found_if_one_can_join_knock_or_look_in() {
        let open =
            |rule: &str, world_readable| is_open(&RoomSummary { join_rule: rule.to_owned(), world_readable, ..Default::default() });
        assert!(open("public", false) && open("knock", false) && open("knock_restricted", false) && open("invite", true));
        assert!(!open("invite", false) && !open("restricted", false) && !open("private", false));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = RoomSummary { name: "é".repeat(1_000), topic: "t".repeat(4_096), ..RoomSummary::default() };
        let listed = listed(long);
        assert_eq!((listed.name.len(), listed.topic.len()), (1_023, 4_096));
        assert!(listed.name.ends_with("é…"));
    }

    #[test]
    fn a_room_that_all_may_join_or_read_is_public() {
        let (public, invite) = (Some(r#"{"join_rule":"public"}"#), Some(r#"{"join_rule":"invite"}"#));
        let (world, shared) = (Some(r#"{"history_visibility":"world_readable"}"#), Some(r#"{"history_visibility":"shared"}"#));
        assert!(is_public(public, None) && is_public(invite, world) && is_public(None, world));
        assert!(!is_public(invite, shared) && !is_public(None, None) && !is_public(Some("nonsense"), shared));
    }
}
