//! What a profile may hold (specification: Client-Server API, "Profiles").

use banyan_core::{ErrorCode, ServiceError};
use serde_json::Value;

/// The longest name of a field, in bytes.
pub const MAX_FIELD: usize = 255;
/// A whole profile as JSON stays under so many bytes.
pub const MAX_PROFILE: usize = 64 * 1024;

/// Checks the name of a field: `displayname`, `avatar_url`, `m.tz`, or a namespaced name (`org.example.field`).
///
/// # Errors
/// `M_KEY_TOO_LARGE`, `M_INVALID_PARAM`.
pub fn check_field(field: &str) -> Result<(), ServiceError> {
    if field.len() > MAX_FIELD {
        return Err(ServiceError::matrix(
            ErrorCode::InvalidArgument,
            "M_KEY_TOO_LARGE",
            "A profile field's name has at most 255 bytes",
        ));
    }
    let known = matches!(field, "displayname" | "avatar_url" | "m.tz");
    if known || is_namespaced(field) { Ok(()) } else { Err(ServiceError::invalid_param("Invalid profile key.")) }
}

/// `[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+`
fn is_namespaced(field: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase()) && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    field.contains('.') && field.split('.').all(is_part)
}

/// Checks the value of a field, JSON text.
///
/// # Errors
/// `M_BAD_JSON` if it is no JSON or not of the field's type.
pub fn check_value(field: &str, value: &[u8]) -> Result<Value, ServiceError> {
    let value: Value = serde_json::from_slice(value).map_err(|_| ServiceError::bad_json("The value is not JSON"))?;
    match (field, &value) {
        // That an avatar is an mxc:// URI is asked of clients; no server is known to insist, and members of rooms elsewhere have others.
        ("displayname" | "avatar_url" | "m.tz", Value::String(_)) => Ok(value),
        ("displayname" | "avatar_url" | "m.tz", _) => Err(ServiceError::bad_json(format!("{field} must be a string"))),
        _ => Ok(value),
    }
}

/// Checks that a profile stays small enough; takes the fields as they will be.
///
/// # Errors
/// `M_PROFILE_TOO_LARGE`.
pub fn check_size<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> Result<(), ServiceError> {
    // Quotes, colon and comma of each member, and the braces.
    let size: usize = 2 + fields.map(|(name, value)| name.len() + value.to_string().len() + 4).sum::<usize>();
    if size < MAX_PROFILE {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_PROFILE_TOO_LARGE", "The profile would be 64 KiB or larger"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errcode<T>(result: Result<T, ServiceError>) -> Option<String> {
        result.err().and_then(|error| error.errcode).map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn fields_are_known_or_namespaced() {
        for field in ["displayname", "avatar_url", "m.tz", "org.example.job_title", "us.cloke.msc4175.tz"] {
            assert_eq!(errcode(check_field(field)), None, "{field}");
        }
        for field in ["", "x", "Org.example", "org.", ".a", "org..a", "org.1a", "org.exämple", "a-b.c"] {
            assert_eq!(errcode(check_field(field)).as_deref(), Some("M_INVALID_PARAM"), "{field}");
        }
        assert_eq!(errcode(check_field(&format!("a.{}", "b".repeat(254)))).as_deref(), Some("M_KEY_TOO_LARGE"));
    }

    #[test]
    fn values_have_their_field_s_type() {
        for (field, value) in
            [("displayname", "\"Al\""), ("avatar_url", "\"mxc://a/b\""), ("avatar_url", "\"\""), ("a.b", "[null]")]
        {
            assert!(check_value(field, value.as_bytes()).is_ok(), "{field} {value}");
        }
        for (field, value) in
            [("displayname", "1"), ("displayname", "null"), ("avatar_url", "{}"), ("m.tz", "{}"), ("a.b", "{"), ("a.b", "")]
        {
            assert_eq!(errcode(check_value(field, value.as_bytes())).as_deref(), Some("M_BAD_JSON"), "{field} {value}");
        }
    }

    #[test]
    fn a_profile_stays_under_64_kib() {
        let size = |n: usize| {
            let value = json!("x".repeat(n));
            errcode(check_size([("a.b", &value)].into_iter()))
        };
        // {"a.b":"…"} is n + 10 bytes.
        assert_eq!(size(MAX_PROFILE - 12), None);
        assert_eq!(size(MAX_PROFILE - 8).as_deref(), Some("M_PROFILE_TOO_LARGE"));
    }
}
