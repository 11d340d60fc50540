//! The form of an event: canonical JSON and the specification's limits.

use ruma::{CanonicalJsonObject, CanonicalJsonValue};

/// The largest event in federation format, signatures included (client-server specification, "Size limits").
pub const MAX_EVENT_BYTES: usize = 65_536;
/// The longest `sender`, `room_id`, `type`, `state_key` and event id, in bytes.
pub const MAX_ID_BYTES: usize = 255;
/// The largest depth: the largest integer of canonical JSON.
pub const MAX_DEPTH: u64 = (1 << 53) - 1;
/// The most `prev_events` an event may have.
const MAX_PREV_EVENTS: usize = 20;
/// The most `auth_events` an event may have.
const MAX_AUTH_EVENTS: usize = 10;

/// Why something is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// Not JSON at all, or JSON that has no canonical form (a fraction, an integer out of range, negative zero).
    #[error("the event is not canonical JSON: {0}")]
    NotCanonical(String),
    /// More than [`MAX_EVENT_BYTES`].
    #[error("the event has {0} bytes, more than {MAX_EVENT_BYTES}")]
    TooLarge(usize),
    /// A field is missing, of a wrong type, or too long.
    #[error("the event's field `{field}` {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl PduError {
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field { field, problem: problem.into() }
    }
}

/// Parses strict JSON.
pub(super) fn parse(json: &[u8]) -> Result<CanonicalJsonObject, PduError> {
    serde_json::from_slice(json).map_err(|error| PduError::NotCanonical(error.to_string()))
}

/// The string in `field`.
pub(super) fn string<'a>(object: &'a CanonicalJsonObject, field: &'static str) -> Result<Option<&'a str>, PduError> {
    match object.get(field) {
        None => Ok(None),
        Some(CanonicalJsonValue::String(text)) if text.len() > MAX_ID_BYTES => {
            Err(PduError::field(field, format!("is longer than {MAX_ID_BYTES} bytes")))
        }
        Some(CanonicalJsonValue::String(text)) => Ok(Some(text)),
        Some(_) => Err(PduError::field(field, "is not a string")),
    }
}

/// The string in `field`, which must be there.
pub(super) fn required_string<'a>(object: &'a CanonicalJsonObject, field: &'static str) -> Result<&'a str, PduError> {
    string(object, field)?.ok_or_else(|| PduError::field(field, "is missing"))
}

/// Checks everything about the form that holds in every room version: sizes, lengths, types of fields.
pub(super) fn check(object: &CanonicalJsonObject, size: usize) -> Result<(), PduError> {
    if size > MAX_EVENT_BYTES {
        return Err(PduError::TooLarge(size));
    }
    check_object(object, "content")?;
    check_object(object, "hashes")?;
    check_object(object, "signatures")?;
    check_array(object, "prev_events", MAX_PREV_EVENTS)?;
    check_array(object, "auth_events", MAX_AUTH_EVENTS)?;
    check_integer(object, "depth")?;
    check_integer(object, "origin_server_ts")
}

fn check_object(object: &CanonicalJsonObject, field: &'static str) -> Result<(), PduError> {
    match object.get(field) {
        Some(CanonicalJsonValue::Object(_)) => Ok(()),
        Some(_) => Err(PduError::field(field, "is not an object")),
        None => Err(PduError::field(field, "is missing")),
    }
}

fn check_array(object: &CanonicalJsonObject, field: &'static str, limit: usize) -> Result<(), PduError> {
    match object.get(field) {
        Some(CanonicalJsonValue::Array(items)) if items.len() > limit => {
            Err(PduError::field(field, format!("has {} entries, more than {limit}", items.len())))
        }
        Some(CanonicalJsonValue::Array(_)) => Ok(()),
        Some(_) => Err(PduError::field(field, "is not an array")),
        None => Err(PduError::field(field, "is missing")),
    }
}

fn check_integer(object: &CanonicalJsonObject, field: &'static str) -> Result<(), PduError> {
    match object.get(field).map(CanonicalJsonValue::as_integer) {
        Some(Some(number)) if i64::from(number) >= 0 => Ok(()),
        Some(Some(_)) => Err(PduError::field(field, "is negative")),
        Some(None) => Err(PduError::field(field, "is not an integer")),
        None => Err(PduError::field(field, "is missing")),
    }
}
