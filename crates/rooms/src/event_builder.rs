//! Making events of our own: the fields an event of its room version has, hashed, signed and named.

use std::collections::BTreeMap;

use banyan_core::Entropy;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, UInt, UserId,
    events::TimelineEventType,
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    auth::{self, AuthError, AuthState},
    graph,
    pdu::{Pdu, PduError},
    signing::{ServerSigner, SigningError},
    state::StateKey,
    version::RoomVersion,
};

mod create;

pub use create::{CreateError, NewRoom, create_room, create_room_as};

/// An event could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The content has no canonical form: `M_BAD_JSON`.
    #[error("the content is not canonical JSON: {0}")]
    Content(String),
    /// The content does not fit the type, for example a member event without a membership.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The event breaks a limit: `M_TOO_LARGE` or `M_BAD_JSON`.
    #[error(transparent)]
    Pdu(#[from] PduError),
    /// It cannot be signed.
    #[error(transparent)]
    Signing(SigningError),
}

impl From<SigningError> for BuildError {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Pdu(error) => Self::Pdu(error),
            error => Self::Signing(error),
        }
    }
}

impl BuildError {
    /// Whether the event is too large, or an id in it too long: `M_TOO_LARGE`.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::Pdu(PduError::TooLarge(_)) => true,
            Self::Pdu(PduError::Field { problem, .. }) => problem.starts_with("is longer than"),
            Self::Signing(SigningError::Json(ruma::signatures::JsonError::PduTooLarge)) => true,
            _ => false,
        }
    }
}

/// What its sender says of an event.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// Who sends it. Its server must be the signer's.
    pub sender: OwnedUserId,
    /// Its type.
    pub kind: TimelineEventType,
    /// Its state key, for state events.
    pub state_key: Option<String>,
    /// Its content: an object of canonical JSON.
    pub content: CanonicalJsonObject,
    /// For redactions: what it redacts.
    pub redacts: Option<OwnedEventId>,
    /// When it was made.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
}

impl EventDraft {
    /// A message event.
    #[must_use]
    pub fn message(
        sender: OwnedUserId,
        kind: impl Into<TimelineEventType>,
        content: CanonicalJsonObject,
        at: MilliSecondsSinceUnixEpoch,
    ) -> Self {
        Self { sender, kind: kind.into(), state_key: None, content, redacts: None, origin_server_ts: at }
    }

    /// A state event.
    #[must_use]
    pub fn state(sender: OwnedUserId, key: StateKey, content: CanonicalJsonObject, at: MilliSecondsSinceUnixEpoch) -> Self {
        let kind = TimelineEventType::from(key.event_type);
        Self { sender, kind, state_key: Some(key.state_key), content, redacts: None, origin_server_ts: at }
    }

    /// The keys of the state that the event's auth events are chosen from.
    ///
    /// # Errors
    ///
    /// If the content does not fit the type.
    pub fn auth_keys(&self, version: &RoomVersion) -> Result<Vec<StateKey>, BuildError> {
        let content = raw(&self.content)?;
        Ok(auth::auth_keys(version, &self.kind, &self.sender, self.state_key.as_deref(), &content)?)
    }

    /// The keys needed to choose the auth events and to judge the event: [`Self::auth_keys`] and the create event.
    ///
    /// # Errors
    ///
    /// As [`Self::auth_keys`].
    pub fn required_keys(&self, version: &RoomVersion) -> Result<Vec<StateKey>, BuildError> {
        let mut keys = self.auth_keys(version)?;
        let create = StateKey::plain(ruma::events::StateEventType::RoomCreate);
        if !keys.contains(&create) {
            keys.push(create);
        }
        Ok(keys)
    }
}

/// Where in its room an event goes.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The room's version.
    pub version: &'static RoomVersion,
    /// The room.
    pub room_id: &'a ruma::RoomId,
    /// The ends of its graph ([`graph::prev_events`] of them are referred to).
    pub extremities: &'a [OwnedEventId],
    /// The largest depth among them.
    pub depth: u64,
}

/// Makes the event: auth events chosen from `state` (which holds at least [`EventDraft::auth_keys`]), hashed and signed. Whether it is
/// allowed is not asked here ([`crate::auth::check`], [`crate::placement`]).
///
/// # Errors
///
/// If the draft cannot be an event.
pub fn build(draft: EventDraft, position: Position<'_>, state: &AuthState, signer: &ServerSigner) -> Result<Pdu, BuildError> {
    let keys = draft.auth_keys(position.version)?;
    let auth_events =
        keys.iter().filter_map(|key| state.get(&key.event_type, &key.state_key)).map(|event| event.event_id().to_owned());
    let auth_events: Vec<OwnedEventId> = auth_events.collect();
    let prev_events = graph::prev_events(position.extremities);
    let mut object = fields(draft, position.version, &prev_events, &auth_events, graph::next_depth(position.depth));
    object.insert("room_id".to_owned(), position.room_id.as_str().into());
    finish(object, position.version, signer)
}

/// Content from a client as canonical JSON. Whole numbers may be written in any way that JSON allows (`-0`, `1e10`), as in the
/// specification's examples of the transformation; events of other servers have no such freedom.
///
/// # Errors
///
/// If it is not an object, or has no canonical form (a fraction, a number out of range): `M_BAD_JSON`.
pub fn content_from_json(json: &[u8]) -> Result<CanonicalJsonObject, BuildError> {
    let content = |error: String| BuildError::Content(error);
    let mut value: Value = serde_json::from_slice(json).map_err(|error| content(error.to_string()))?;
    whole_numbers(&mut value);
    match CanonicalJsonValue::try_from(value) {
        Ok(CanonicalJsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(content("it is not an object".to_owned())),
        Err(error) => Err(content(error.to_string())),
    }
}

/// Writes whole numbers as integers.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
                #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
                let integer = float as i64;
                *value = integer.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn raw(content: &CanonicalJsonObject) -> Result<Box<RawValue>, BuildError> {
    to_raw_value(content).map_err(|error| BuildError::Content(error.to_string()))
}

fn fields(
    draft: EventDraft,
    version: &RoomVersion,
    prev_events: &[OwnedEventId],
    auth_events: &[OwnedEventId],
    depth: u64,
) -> CanonicalJsonObject {
    let ids = |ids: &[OwnedEventId]| CanonicalJsonValue::Array(ids.iter().map(|id| id.as_str().into()).collect());
    let mut content = draft.content;
    let mut object = BTreeMap::new();
    let mut set = |field: &str, value: CanonicalJsonValue| object.insert(field.to_owned(), value);
    if let Some(redacts) = draft.redacts {
        if version.rules().redaction.content_field_redacts {
            content.insert("redacts".to_owned(), redacts.as_str().into());
        } else {
            set("redacts", redacts.as_str().into());
        }
    }
    if let Some(state_key) = draft.state_key {
        set("state_key", state_key.into());
    }
    set("auth_events", ids(auth_events));
    set("content", content.into());
    set("depth", UInt::new_saturating(depth).into());
    set("origin_server_ts", draft.origin_server_ts.get().into());
    set("prev_events", ids(prev_events));
    set("sender", draft.sender.as_str().into());
    set("type", draft.kind.to_string().into());
    object
}

fn finish(mut object: CanonicalJsonObject, version: &'static RoomVersion, signer: &ServerSigner) -> Result<Pdu, BuildError> {
    signer.hash_and_sign(&mut object, version)?;
    Ok(Pdu::from_object(object, version)?)
}

/// A new room id of a version whose ids are random: `!<18 letters and digits>:<server>`.
///
/// # Errors
///
/// If the creator's server name makes no room id.
pub fn random_room_id(creator: &UserId, entropy: &dyn Entropy) -> Result<OwnedRoomId, PduError> {
    let id = format!("!{}:{}", entropy.alphanumeric(18), creator.server_name());
    ruma::RoomId::parse(id).map_err(|error| PduError::field("room_id", error.to_string()))
}

#[cfg(test)]
mod tests;
