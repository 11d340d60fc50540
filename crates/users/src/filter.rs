//! The shape of filters (specification: Client-Server API, "Filtering").

use banyan_core::ServiceError;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only the shape is looked at")]
struct Filter {
    event_fields: Option<Vec<String>>,
    event_format: Option<EventFormat>,
    presence: Option<EventFilter>,
    account_data: Option<EventFilter>,
    room: Option<RoomFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum EventFormat {
    Client,
    Federation,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only the shape is looked at")]
struct EventFilter {
    limit: Option<u64>,
    senders: Option<Vec<OwnedUserId>>,
    not_senders: Option<Vec<OwnedUserId>>,
    types: Option<Vec<String>>,
    not_types: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only the shape is looked at")]
struct RoomFilter {
    rooms: Option<Vec<OwnedRoomId>>,
    not_rooms: Option<Vec<OwnedRoomId>>,
    include_leave: Option<bool>,
    account_data: Option<RoomEventFilter>,
    ephemeral: Option<RoomEventFilter>,
    state: Option<RoomEventFilter>,
    timeline: Option<RoomEventFilter>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only the shape is looked at")]
struct RoomEventFilter {
    #[serde(flatten)]
    events: EventFilter,
    rooms: Option<Vec<OwnedRoomId>>,
    not_rooms: Option<Vec<OwnedRoomId>>,
    contains_url: Option<bool>,
    include_redundant_members: Option<bool>,
    lazy_load_members: Option<bool>,
    unread_thread_notifications: Option<bool>,
}

/// Checks a filter that a client wants to store. Members that the specification does not have are let through.
///
/// # Errors
/// `M_BAD_JSON` for a member of the wrong type, a sender that is no user id, a room that is no room id.
pub fn check(filter: &Value) -> Result<(), ServiceError> {
    if !filter.is_object() {
        return Err(ServiceError::bad_json("A filter is a JSON object"));
    }
    Filter::deserialize(filter).map(|_| ()).map_err(|error| ServiceError::bad_json(format!("The filter is not one: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_of_the_specification_s_shape_pass() {
        let whole = json!({
            "event_fields": ["type"], "event_format": "federation", "presence": {"not_senders": ["@a:x"], "limit": 3},
            "account_data": {"types": ["m.*"]}, "org.example.other": 1,
            "room": {"rooms": ["!r:x"], "not_rooms": ["!s"], "include_leave": true, "state": {"lazy_load_members": true},
                "timeline": {"limit": 0, "senders": ["@a:x"], "contains_url": false, "rooms": [], "org.example.x": {}}},
        });
        for filter in [json!({}), whole] {
            assert_eq!(check(&filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn what_has_another_shape_is_bad_json() {
        let event =
            ["senders", "not_senders", "types", "not_types", "rooms", "not_rooms", "contains_url", "lazy_load_members", "limit"];
        let timelines = event.map(|member| json!({"room": {"timeline": {member: "x"}}}));
        let others = [
            json!([]),
            json!({"presence": "x"}),
            json!({"event_format": "x"}),
            json!({"event_fields": "x"}),
            json!({"room": []}),
            json!({"room": {"include_leave": 1}}),
            json!({"room": {"rooms": ["x"]}}),
            json!({"room": {"ephemeral": "x"}}),
            json!({"room": {"account_data": "x"}}),
            json!({"room": {"state": "x"}}),
            json!({"room": {"timeline": {"types": [1]}}}),
            json!({"room": {"timeline": {"rooms": ["x"]}}}),
            json!({"room": {"timeline": {"senders": ["x"]}}}),
        ];
        for filter in timelines.iter().chain(&others) {
            let error = check(filter).expect_err(&filter.to_string());
            assert_eq!(error.errcode.as_deref(), Some("M_BAD_JSON"), "{filter}");
        }
    }
}
