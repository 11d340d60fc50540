//! From bytes to a [`Pdu`].

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ruma::{
    CanonicalJsonObject, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt,
    events::TimelineEventType, signatures::reference_hash,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

use super::{
    Inner, Pdu,
    format::{self, PduError},
};
use crate::version::RoomVersion;

/// The fields of an event in federation format.
#[derive(Deserialize)]
struct Fields {
    event_id: Option<OwnedEventId>,
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    #[serde(rename = "type")]
    kind: TimelineEventType,
    state_key: Option<String>,
    content: Box<RawValue>,
    prev_events: Vec<Reference>,
    auth_events: Vec<Reference>,
    redacts: Option<serde_json::Value>,
    depth: UInt,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
}

/// A reference to another event: its id, or before room version 3 `[id, hashes]`.
struct Reference(OwnedEventId);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Plain(OwnedEventId),
            Hashed(OwnedEventId, serde::de::IgnoredAny),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::Plain(id) | Either::Hashed(id, _)) => Ok(Self(id)),
            Err(_) => Err(D::Error::custom("a reference to an event is malformed")),
        }
    }
}

/// Reads what others sent.
pub(super) fn strictly(mut object: CanonicalJsonObject, version: &'static RoomVersion) -> Result<Pdu, PduError> {
    object.remove("unsigned");
    if !version.rules().event_format.require_event_id {
        // Not part of the format; it would only let two spellings of one event differ.
        object.remove("event_id");
    }
    let json = serde_json::to_vec(&object).map_err(|error| PduError::NotCanonical(error.to_string()))?;
    format::check(&object, json.len())?;
    check_ids(&object, version)?;
    let fields: Fields = serde_json::from_slice(&json).map_err(|error| PduError::NotCanonical(error.to_string()))?;
    let event_id = event_id_of(&object, version)?;
    let room_id = match &fields.room_id {
        Some(room_id) => room_id.clone(),
        None => room_id_of_create(&event_id)?,
    };
    if version.room_id_is_create_hash() && fields.auth_events.iter().any(|auth| auth.0.as_str()[1..] == room_id.as_str()[1..]) {
        return Err(PduError::field("auth_events", "names the m.room.create event"));
    }
    Ok(assemble(fields, json.into(), event_id, room_id, version))
}

/// Reads what we stored.
pub(super) fn trusting(
    json: Bytes,
    event_id: OwnedEventId,
    room_id: &RoomId,
    version: &'static RoomVersion,
) -> Result<Pdu, PduError> {
    let fields: Fields = serde_json::from_slice(&json).map_err(|error| PduError::NotCanonical(error.to_string()))?;
    Ok(assemble(fields, json, event_id, room_id.to_owned(), version))
}

fn check_ids(object: &CanonicalJsonObject, version: &RoomVersion) -> Result<(), PduError> {
    let kind = format::required_string(object, "type")?;
    format::required_string(object, "sender")?;
    format::string(object, "state_key")?;
    if kind == "m.room.create" && version.room_id_is_create_hash() {
        if object.contains_key("room_id") {
            return Err(PduError::field("room_id", "is not allowed in m.room.create of this room version"));
        }
        return Ok(());
    }
    format::required_string(object, "room_id")?;
    let references =
        ["prev_events", "auth_events"].into_iter().filter_map(|field| object.get(field)?.as_array().map(|items| (field, items)));
    for (field, items) in references {
        if items.iter().any(|item| item.as_str().is_some() != version.plain_references()) {
            return Err(PduError::field(field, "does not have the format of this room version"));
        }
    }
    Ok(())
}

/// The id of an event: its reference hash, or before room version 3 its own field.
pub(crate) fn event_id_of(object: &CanonicalJsonObject, version: &RoomVersion) -> Result<OwnedEventId, PduError> {
    let id = if version.rules().event_format.require_event_id {
        format::required_string(object, "event_id")?.to_owned()
    } else {
        let hash = reference_hash(object, version.rules()).map_err(|error| PduError::NotCanonical(error.to_string()))?;
        format!("${hash}")
    };
    EventId::parse(id).map_err(|error| PduError::field("event_id", error.to_string()))
}

fn room_id_of_create(event_id: &EventId) -> Result<OwnedRoomId, PduError> {
    RoomId::parse(format!("!{}", &event_id.as_str()[1..])).map_err(|error| PduError::field("room_id", error.to_string()))
}

fn assemble(fields: Fields, json: Bytes, event_id: OwnedEventId, room_id: OwnedRoomId, version: &'static RoomVersion) -> Pdu {
    let redacts = redacts(&fields, version);
    let membership = membership(&fields);
    let inner = Inner {
        version,
        event_id: fields.event_id.filter(|_| version.rules().event_format.require_event_id).unwrap_or(event_id),
        room_id,
        sender: fields.sender,
        kind: fields.kind,
        state_key: fields.state_key,
        content: fields.content,
        prev_events: fields.prev_events.into_iter().map(|reference| reference.0).collect(),
        auth_events: fields.auth_events.into_iter().map(|reference| reference.0).collect(),
        redacts,
        membership,
        depth: fields.depth.into(),
        origin_server_ts: fields.origin_server_ts,
        json,
        power: OnceLock::new(),
        create: OnceLock::new(),
    };
    Pdu { inner: Arc::new(inner), rejected: false }
}

fn redacts(fields: &Fields, version: &RoomVersion) -> Option<OwnedEventId> {
    #[derive(Deserialize)]
    struct Content {
        redacts: Option<serde_json::Value>,
    }
    if fields.kind != TimelineEventType::RoomRedaction {
        return None;
    }
    let value = if version.rules().redaction.content_field_redacts {
        serde_json::from_str::<Content>(fields.content.get()).ok()?.redacts?
    } else {
        fields.redacts.clone()?
    };
    EventId::parse(value.as_str()?).ok()
}

fn membership(fields: &Fields) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        membership: Option<serde_json::Value>,
    }
    if fields.kind != TimelineEventType::RoomMember || fields.state_key.is_none() {
        return None;
    }
    let membership = serde_json::from_str::<Content>(fields.content.get()).ok()?.membership?;
    membership.as_str().map(str::to_owned)
}
