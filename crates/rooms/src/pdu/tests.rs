use serde_json::{Value, json};

use super::{MAX_EVENT_BYTES, Pdu, PduError};
use crate::version::RoomVersion;

fn message(content: &Value) -> Value {
    json!({
        "auth_events": ["$a"],
        "content": content,
        "depth": 5,
        "hashes": { "sha256": "x" },
        "origin_server_ts": 1,
        "prev_events": ["$p"],
        "room_id": "!r:example.org",
        "sender": "@a:example.org",
        "signatures": {},
        "type": "m.room.message",
    })
}

fn read(event: &Value, version: &str) -> Result<Pdu, PduError> {
    Pdu::from_received(event.to_string().as_bytes(), RoomVersion::get(version).unwrap())
}

fn with(field: &str, value: Value) -> Value {
    let mut event = message(&json!({}));
    event[field] = value;
    event
}

#[test]
fn what_was_received_is_kept_canonical_and_without_unsigned() {
    let mut event = message(&json!({ "body": "é", "b": 1, "a": 2 }));
    event["unsigned"] = json!({ "age": 1 });
    event["event_id"] = json!("$made:up");
    let pdu = read(&event, "11").unwrap();
    let text = std::str::from_utf8(pdu.json()).unwrap();
    assert!(text.starts_with(r#"{"auth_events":["$a"],"content":{"a":2,"b":1,"body":"é"},"depth":5,"#), "{text}");
    assert!(!text.contains("unsigned") && !text.contains("made"));
    assert_eq!(pdu.event_id().as_str().len(), 44);
    let stored = Pdu::from_stored(pdu.json().clone(), pdu.event_id().to_owned(), pdu.room_id(), pdu.version()).unwrap();
    assert_eq!(stored, pdu);
    assert_eq!(stored.prev_events()[0], "$p");
}

#[test]
fn the_limits_of_the_specification_hold() {
    let fits = |extra: usize| {
        let empty = message(&json!({ "body": "" })).to_string().len();
        read(&message(&json!({ "body": "x".repeat(MAX_EVENT_BYTES - empty + extra) })), "11")
    };
    assert!(fits(0).is_ok());
    assert_eq!(fits(1).unwrap_err(), PduError::TooLarge(MAX_EVENT_BYTES + 1));

    let ids = |count: usize| json!(vec!["$x"; count]);
    assert!(read(&with("prev_events", ids(20)), "11").is_ok());
    assert!(read(&with("prev_events", ids(21)), "11").is_err());
    assert!(read(&with("auth_events", ids(11)), "11").is_err());
    assert!(read(&with("type", json!("t".repeat(256))), "11").is_err());
    assert!(read(&with("state_key", json!("é".repeat(127))), "11").is_ok());
    assert!(read(&with("state_key", json!("é".repeat(128))), "11").is_err(), "bytes count, not characters");
    assert!(read(&with("sender", json!("nobody")), "11").is_err());
    assert!(read(&with("depth", json!(-1)), "11").is_err());
    assert!(read(&with("depth", json!("1")), "11").is_err());
    assert!(read(&with("content", json!([])), "11").is_err());
    assert!(read(&with("prev_events", json!([["$x:y", {}]])), "11").is_err(), "references of old room versions");
}

#[test]
fn only_canonical_json_is_an_event() {
    for content in [r#"{"n":1.5}"#, r#"{"n":1e3}"#, r#"{"n":-0}"#, r#"{"n":9007199254740992}"#] {
        let event = message(&json!("CONTENT")).to_string().replace("\"CONTENT\"", content);
        let error = Pdu::from_received(event.as_bytes(), RoomVersion::preferred()).unwrap_err();
        assert!(matches!(error, PduError::NotCanonical(_)), "{content}: {error}");
    }
    assert!(matches!(Pdu::from_received(b"{", RoomVersion::preferred()), Err(PduError::NotCanonical(_))));
}

#[test]
fn a_room_of_version_12_is_named_by_its_create_event() {
    let create = json!({
        "auth_events": [], "content": { "room_version": "12" }, "depth": 1, "hashes": { "sha256": "x" }, "origin_server_ts": 1,
        "prev_events": [], "sender": "@a:example.org", "signatures": {}, "state_key": "", "type": "m.room.create",
    });
    let pdu = read(&create, "12").unwrap();
    assert_eq!(pdu.room_id().as_str()[1..], pdu.event_id().as_str()[1..]);
    assert!(pdu.is_create());
    assert!(read(&create, "11").is_err(), "earlier versions need a room id");
    let mut named = create;
    named["room_id"] = json!("!r:example.org");
    assert!(read(&named, "12").is_err());

    let mut event = message(&json!({}));
    event["room_id"] = json!(pdu.room_id().as_str());
    event["auth_events"] = json!([pdu.event_id().as_str()]);
    assert!(read(&event, "12").is_err(), "the create event is nobody's auth event");
}

#[test]
fn what_is_redacted_stands_where_the_version_says() {
    let mut event = message(&json!({ "redacts": "$inside" }));
    event["type"] = json!("m.room.redaction");
    event["redacts"] = json!("$beside");
    assert_eq!(read(&event, "10").unwrap().redacts().unwrap(), "$beside");
    assert_eq!(read(&event, "11").unwrap().redacts().unwrap(), "$inside");
}
