//! Events as clients see them (client-server specification, "Client event format"): written by splicing pieces of the stored event,
//! which is scanned and never rebuilt.

use banyan_core::TimestampMicros;
use ruma::{DeviceId, EventId, RoomId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ReadError, reader::StoredEvent};

/// The scope of the transactions of delayed events (MSC4140), whose ids are delay ids: what clients call theirs never equals it.
pub const DELAYED_SCOPE: &str = "delayed";

/// The fields of a stored event that clients see, as raw JSON.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow)]
    sender: &'a RawValue,
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    origin_server_ts: &'a RawValue,
    #[serde(borrow, default)]
    state_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    redacts: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RedactsInContent<'a> {
    #[serde(borrow, default)]
    redacts: Option<&'a RawValue>,
}

fn fields(pdu: &[u8]) -> Result<Fields<'_>, ReadError> {
    serde_json::from_slice(pdu).map_err(|error| ReadError::corrupt("timeline", error))
}

/// Who reads an event: decides what `unsigned` holds.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The user.
    pub user_id: &'a UserId,
    /// Their device; `None` for readers without one, who are never told transaction ids.
    pub device_id: Option<&'a DeviceId>,
    /// Their membership at the event, for `unsigned.membership`.
    pub membership: Option<&'a str>,
    /// When they read it, for `unsigned.age`.
    pub now: TimestampMicros,
}

/// An event without its last brace and without `unsigned`: the same for all readers, so it can be shared. `room_id` is left out where
/// the endpoint implies it (/sync).
///
/// # Errors
/// If the stored event is not one.
pub fn client_event_base(pdu: &[u8], event_id: &EventId, room_id: Option<&RoomId>) -> Result<Vec<u8>, ReadError> {
    Ok(base(&fields(pdu)?, event_id, room_id))
}

/// An event of a room's state in the client format, whole. Its `unsigned` has `age` alone: the rest is not told of state, and the
/// specification leaves that to servers.
///
/// # Errors
/// If the stored event is not one.
pub fn client_state_event(
    pdu: &[u8],
    event_id: &EventId,
    room_id: Option<&RoomId>,
    now: TimestampMicros,
) -> Result<Vec<u8>, ReadError> {
    let fields = fields(pdu)?;
    let mut out = base(&fields, event_id, room_id);
    let sent = fields.origin_server_ts.get().parse::<i64>().unwrap_or_else(|_| now.as_millis());
    finish(&mut out, format!("{{\"age\":{}}}", (now.as_millis() - sent).max(0)).as_bytes());
    Ok(out)
}

fn base(fields: &Fields<'_>, event_id: &EventId, room_id: Option<&RoomId>) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.content.get().len() + 320);
    out.extend_from_slice(b"{\"content\":");
    out.extend_from_slice(fields.content.get().as_bytes());
    field(&mut out, "event_id", &quoted(event_id.as_str()));
    field(&mut out, "origin_server_ts", fields.origin_server_ts.get());
    if let Some(redacts) = redacts(fields) {
        field(&mut out, "redacts", redacts.get());
    }
    if let Some(room_id) = room_id {
        field(&mut out, "room_id", &quoted(room_id.as_str()));
    }
    field(&mut out, "sender", fields.sender.get());
    if let Some(state_key) = fields.state_key {
        field(&mut out, "state_key", state_key.get());
    }
    field(&mut out, "type", fields.kind.get());
    out
}

/// `redacts`, from where the event has it: clients find it in both places (room version 11, "Moving the redacts property").
fn redacts<'a>(fields: &Fields<'a>) -> Option<&'a RawValue> {
    if fields.kind.get() != "\"m.room.redaction\"" {
        return None;
    }
    fields.redacts.or_else(|| serde_json::from_str::<RedactsInContent<'a>>(fields.content.get()).ok()?.redacts)
}

/// Appends `unsigned` and the last brace to what [`client_event_base`] made.
pub fn finish(out: &mut Vec<u8>, unsigned: &[u8]) {
    if unsigned.len() > 2 {
        out.extend_from_slice(b",\"unsigned\":");
        out.extend_from_slice(unsigned);
    }
    out.push(b'}');
}

/// The `unsigned` object of an event for one reader: `age`, `membership`, `prev_content`, `prev_sender`, `replaces_state`,
/// `redacted_because`, `transaction_id` for the device that sent it, and the delay id of a delayed event for its sender.
///
/// # Errors
/// If the stored redaction is not an event.
pub fn unsigned(event: &StoredEvent, viewer: Viewer<'_>) -> Result<Vec<u8>, ReadError> {
    unsigned_with(event, viewer, None)
}

/// The same with `m.relations`, JSON of an object ([`crate::bundle`]).
///
/// # Errors
/// As [`unsigned`].
pub fn unsigned_with(event: &StoredEvent, viewer: Viewer<'_>, relations: Option<&[u8]>) -> Result<Vec<u8>, ReadError> {
    let mut out = Vec::with_capacity(64 + event.prev_content.len());
    field(&mut out, "age", &age(event, viewer.now).to_string());
    if let Some(relations) = relations {
        field(&mut out, "m.relations", &String::from_utf8_lossy(relations));
    }
    if let Some(membership) = viewer.membership {
        field(&mut out, "membership", &quoted(membership));
    }
    if let Some(replaced) = &event.replaces_state {
        if let Ok(content) = std::str::from_utf8(&event.prev_content)
            && !content.is_empty()
        {
            field(&mut out, "prev_content", content);
        }
        if !event.prev_sender.is_empty() {
            field(&mut out, "prev_sender", &quoted(&event.prev_sender));
        }
        field(&mut out, "replaces_state", &quoted(replaced.as_str()));
    }
    if let Some((id, pdu)) = &event.redaction {
        let mut because = client_event_base(pdu, id, Some(&event.room_id))?;
        finish(&mut because, b"");
        field(&mut out, "redacted_because", &String::from_utf8_lossy(&because));
    }
    if let Some(delay_id) = delay_id(event, viewer) {
        field(&mut out, "org.matrix.msc4140.delay_id", &quoted(delay_id));
    }
    if let Some(transaction_id) = transaction_id(event, viewer) {
        field(&mut out, "transaction_id", &quoted(transaction_id));
    }
    out[0] = b'{';
    out.push(b'}');
    Ok(out)
}

/// Milliseconds since the event was made, as its server's clock and ours have it; never negative.
fn age(event: &StoredEvent, now: TimestampMicros) -> i64 {
    let sent = fields(&event.pdu).ok().and_then(|fields| fields.origin_server_ts.get().parse::<i64>().ok());
    (now.as_millis() - sent.unwrap_or_else(|| event.received.as_millis())).max(0)
}

fn delay_id<'a>(event: &'a StoredEvent, viewer: Viewer<'_>) -> Option<&'a str> {
    let transaction = event.transaction.as_ref()?;
    (transaction.user_id == viewer.user_id.as_str() && transaction.scope == DELAYED_SCOPE).then_some(transaction.txn_id.as_str())
}

fn transaction_id<'a>(event: &'a StoredEvent, viewer: Viewer<'_>) -> Option<&'a str> {
    let transaction = event.transaction.as_ref()?;
    let device_id = viewer.device_id?;
    (transaction.user_id == viewer.user_id.as_str() && transaction.device_id == device_id.as_str())
        .then_some(transaction.txn_id.as_str())
}

/// An event in the client format, whole.
///
/// # Errors
/// If the stored event is not one.
pub fn client_event(event: &StoredEvent, room_id: Option<&RoomId>, viewer: Viewer<'_>) -> Result<Vec<u8>, ReadError> {
    client_event_with(event, room_id, viewer, None)
}

/// The same with `unsigned.m.relations`, JSON of an object ([`crate::bundle`]).
///
/// # Errors
/// If the stored event is not one.
pub fn client_event_with(
    event: &StoredEvent,
    room_id: Option<&RoomId>,
    viewer: Viewer<'_>,
    relations: Option<&[u8]>,
) -> Result<Vec<u8>, ReadError> {
    let mut out = client_event_base(&event.pdu, &event.event_id, room_id)?;
    finish(&mut out, &unsigned_with(event, viewer, relations)?);
    Ok(out)
}

/// A state event in stripped form: `content`, `sender`, `state_key`, `type` (client-server specification, "Stripped state").
///
/// # Errors
/// If the stored event is not one.
pub fn stripped_event(pdu: &[u8]) -> Result<Vec<u8>, ReadError> {
    let fields = fields(pdu)?;
    let mut out = Vec::with_capacity(fields.content.get().len() + 160);
    out.extend_from_slice(b"{\"content\":");
    out.extend_from_slice(fields.content.get().as_bytes());
    field(&mut out, "sender", fields.sender.get());
    field(&mut out, "state_key", fields.state_key.map_or("\"\"", RawValue::get));
    field(&mut out, "type", fields.kind.get());
    out.push(b'}');
    Ok(out)
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use banyan_core::LogSeq;
    use banyan_proto::rooms::{EventStanding, StateRoot, Transaction};
    use ruma::{device_id, event_id, owned_event_id, owned_room_id, room_id, user_id};
    use serde_json::{Value, json};

    use super::*;
    use crate::RoomPlace;

    fn event(pdu: &Value) -> StoredEvent {
        StoredEvent {
            event_id: owned_event_id!("$e"),
            room_id: owned_room_id!("!r:x"),
            pdu: serde_json::to_vec(pdu).unwrap().into(),
            place: Some(RoomPlace::arrival(3)),
            seq: LogSeq(9),
            received: TimestampMicros(5_000_000),
            standing: EventStanding::Accepted,
            state_after: StateRoot::default(),
            replaces_state: Some(owned_event_id!("$old")),
            prev_content: bytes::Bytes::from_static(b"{\"name\":\"a\"}"),
            prev_sender: "@b:x".to_owned(),
            transaction: Some(Transaction {
                user_id: "@a:x".to_owned(),
                device_id: "D".to_owned(),
                scope: String::new(),
                txn_id: "t\"1".to_owned(),
            }),
            redaction: None,
            gap_before: false,
        }
    }

    fn viewer(device_id: &'static str) -> Viewer<'static> {
        Viewer {
            user_id: user_id!("@a:x"),
            device_id: Some(device_id.into()),
            membership: Some("join"),
            now: TimestampMicros(7_000_000),
        }
    }

    fn state() -> Value {
        json!({"type": "m.room.name", "state_key": "", "sender": "@a:x", "content": {"name": "b \u{1f600}"}, "origin_server_ts": 6000,
            "auth_events": [], "prev_events": [], "depth": 4, "hashes": {}, "signatures": {}, "room_id": "!r:x"})
    }

    #[test]
    fn a_client_sees_its_fields_and_no_others() {
        let bytes = client_event(&event(&state()), Some(room_id!("!r:x")), viewer("D")).unwrap();
        let seen: Value = serde_json::from_slice(&bytes).unwrap();
        let expected = json!({"type": "m.room.name", "state_key": "", "sender": "@a:x", "content": {"name": "b \u{1f600}"},
            "origin_server_ts": 6000, "event_id": "$e", "room_id": "!r:x", "unsigned": {"age": 1000, "membership": "join",
            "prev_content": {"name": "a"}, "prev_sender": "@b:x", "replaces_state": "$old", "transaction_id": "t\"1"}});
        assert_eq!(seen, expected);
    }

    #[test]
    fn state_has_its_age_and_nothing_else_unsigned() {
        let pdu = serde_json::to_vec(&state()).unwrap();
        let seen = |now: i64| -> Value {
            let bytes = client_state_event(&pdu, event_id!("$e"), Some(room_id!("!r:x")), TimestampMicros(now)).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let expected = json!({"type": "m.room.name", "state_key": "", "sender": "@a:x", "content": {"name": "b \u{1f600}"},
            "origin_server_ts": 6000, "event_id": "$e", "room_id": "!r:x", "unsigned": {"age": 1000}});
        assert_eq!(seen(7_000_000), expected);
        assert_eq!(seen(5_000_000)["unsigned"], json!({"age": 0}));
    }

    #[test]
    fn only_the_sending_device_sees_the_transaction() {
        let bytes = client_event(&event(&state()), None, viewer("E")).unwrap();
        let seen: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(seen["unsigned"].get("transaction_id").is_none());
        assert!(seen.get("room_id").is_none());
        let _ = device_id!("E");
    }

    #[test]
    fn the_sender_of_a_delayed_event_sees_its_delay_id() {
        let mut delayed = event(&state());
        delayed.transaction =
            delayed.transaction.map(|of| Transaction { scope: DELAYED_SCOPE.to_owned(), device_id: String::new(), ..of });
        let seen = |viewer| -> Value {
            let bytes = client_event(&delayed, None, viewer).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()["unsigned"].clone()
        };
        let unsigned = seen(viewer("E"));
        assert_eq!((&unsigned["org.matrix.msc4140.delay_id"], unsigned.get("transaction_id")), (&json!("t\"1"), None));
        assert!(seen(Viewer { user_id: user_id!("@b:x"), ..viewer("E") }).get("org.matrix.msc4140.delay_id").is_none());
    }

    #[test]
    fn a_redaction_has_its_target_in_both_places() {
        let pdu = json!({"type": "m.room.redaction", "sender": "@a:x", "content": {"redacts": "$t"}, "origin_server_ts": 1});
        let mut bytes = client_event_base(&serde_json::to_vec(&pdu).unwrap(), event_id!("$r"), None).unwrap();
        finish(&mut bytes, b"{}");
        let seen: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(seen["redacts"], "$t");
        assert!(seen.get("unsigned").is_none());
    }

    #[test]
    fn a_redacted_event_says_why() {
        let mut redacted = event(&state());
        let because = json!({"type": "m.room.redaction", "sender": "@m:x", "content": {"redacts": "$e"}, "origin_server_ts": 1});
        redacted.redaction = Some((owned_event_id!("$r"), serde_json::to_vec(&because).unwrap().into()));
        let seen: Value = serde_json::from_slice(&client_event(&redacted, None, viewer("D")).unwrap()).unwrap();
        assert_eq!(seen["unsigned"]["redacted_because"]["event_id"], "$r");
        assert_eq!(seen["unsigned"]["redacted_because"]["sender"], "@m:x");
    }

    #[test]
    fn stripped_state_has_four_fields() {
        let seen: Value = serde_json::from_slice(&stripped_event(&serde_json::to_vec(&state()).unwrap()).unwrap()).unwrap();
        assert_eq!(seen, json!({"type": "m.room.name", "state_key": "", "sender": "@a:x", "content": {"name": "b \u{1f600}"}}));
    }
}
