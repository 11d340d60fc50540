//! What account data may be (specification: Client-Server API, "Client Config").

use banyan_core::{ErrorCode, ServiceError};
use bytes::Bytes;
use ruma::RoomId;
use serde_json::{Value, json};

/// The largest content, in bytes.
pub const MAX_CONTENT: usize = 64 * 1024;

/// The type of the event up to which its user has read everything of a room.
pub const FULLY_READ: &str = "m.fully_read";

/// Types that the server manages: clients may read them, and are told 405 when they set them, global or for a room.
pub const SERVER_MANAGED: [&str; 2] = [FULLY_READ, "m.push_rules"];

/// Checks what a client wants to set; `room_id` is empty for global.
///
/// # Errors
/// `M_BAD_JSON` for [`SERVER_MANAGED`] types (the HTTP edge makes it a 405, see [`is_server_managed`]); `M_INVALID_PARAM`
/// for a room id that is none or a type that is empty or over 255 bytes; `M_NOT_JSON` or `M_BAD_JSON` if the content is no JSON object;
/// `M_TOO_LARGE` over [`MAX_CONTENT`].
pub fn check(room_id: &str, kind: &str, content: &[u8]) -> Result<(), ServiceError> {
    if is_server_managed(kind) {
        return Err(ServiceError::bad_json(format!("Cannot set {kind} through this API.")));
    }
    if kind.is_empty() || kind.len() > 255 {
        return Err(ServiceError::invalid_param("An account data type has 1 to 255 bytes"));
    }
    if !room_id.is_empty() && RoomId::parse(room_id).is_err() {
        return Err(ServiceError::invalid_param(format!("{room_id} is not a valid room ID.")));
    }
    if content.len() > MAX_CONTENT {
        return Err(ServiceError::too_large("The account data is larger than 64 KiB"));
    }
    match serde_json::from_slice::<Value>(content) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(ServiceError::bad_json("Content must be a JSON object.")),
        Err(_) => Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_NOT_JSON", "Content must be a JSON object.")),
    }
}

/// The content of [`FULLY_READ`].
#[must_use]
pub fn fully_read(event_id: &str) -> Bytes {
    json!({ "event_id": event_id }).to_string().into()
}

/// Whether the server manages a type: a client that sets it is told 405 `M_BAD_JSON`.
#[must_use]
pub fn is_server_managed(kind: &str) -> bool {
    SERVER_MANAGED.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errcode(room_id: &str, kind: &str, content: &str) -> Option<String> {
        check(room_id, kind, content.as_bytes()).err().and_then(|error| error.errcode).map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn every_rule_has_its_error() {
        assert_eq!(errcode("", "org.example", "{}"), None);
        assert_eq!(errcode("!room:example.org", "m.tag", r#"{"tags":{}}"#), None);
        assert_eq!(errcode("", "m.push_rules", "{}").as_deref(), Some("M_BAD_JSON"));
        assert_eq!(errcode("!room:example.org", "m.fully_read", "{}").as_deref(), Some("M_BAD_JSON"));
        assert_eq!(errcode("nonsense", "m.tag", "{}").as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(errcode("", "", "{}").as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(errcode("", &"a".repeat(256), "{}").as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(errcode("", "a", "[]").as_deref(), Some("M_BAD_JSON"));
        assert_eq!(errcode("", "a", "{").as_deref(), Some("M_NOT_JSON"));
        assert_eq!(errcode("", "a", &format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_CONTENT))).as_deref(), Some("M_TOO_LARGE"));
    }
}
