//! What a session is bound to, as hashes.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Operation;

/// The row's key: who reads the table learns no session id.
pub(super) fn session_hash(id: &str) -> Bytes {
    Bytes::copy_from_slice(blake3::hash(id.as_bytes()).as_bytes())
}

/// The operation without its parameters.
pub(super) fn operation(operation: &Operation<'_>) -> Bytes {
    let mut hasher = blake3::Hasher::new();
    for part in [operation.tenant, operation.endpoint, operation.user_id.unwrap_or_default()] {
        text(&mut hasher, part);
    }
    Bytes::copy_from_slice(hasher.finalize().as_bytes())
}

/// The parameters without `auth`. Keyed by the session id, which is stored nowhere: a password among them cannot be guessed from it.
pub(super) fn parameters(id: &str, parameters: &Map<String, Value>) -> Bytes {
    let key = blake3::derive_key("banyan 2026 parameters of a user-interactive session", id.as_bytes());
    let mut hasher = blake3::Hasher::new_keyed(&key);
    object(&mut hasher, parameters, Some("auth"));
    Bytes::copy_from_slice(hasher.finalize().as_bytes())
}

/// The same, and empty where there are no parameters: clients ask for the flows so.
pub(super) fn asked(id: &str, parameters: &Map<String, Value>) -> Bytes {
    if parameters.keys().any(|name| name != "auth") { self::parameters(id, parameters) } else { Bytes::new() }
}

fn value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Object(map) => object(hasher, map, None),
        Value::Array(items) => {
            hasher.update(b"[").update(&(items.len() as u64).to_le_bytes());
            for item in items {
                self::value(hasher, item);
            }
        }
        Value::String(string) => {
            hasher.update(b"s");
            text(hasher, string);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update(b"v");
            text(hasher, &value.to_string());
        }
    }
}

/// Members in the order of their names, whatever the order they came in.
fn object(hasher: &mut blake3::Hasher, map: &Map<String, Value>, without: Option<&str>) {
    let mut members: Vec<_> = map.iter().filter(|(name, _)| Some(name.as_str()) != without).collect();
    members.sort_by_key(|(name, _)| *name);
    hasher.update(b"{").update(&(members.len() as u64).to_le_bytes());
    for (name, member) in members {
        text(hasher, name);
        value(hasher, member);
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(id: &str, body: &Value) -> Bytes {
        parameters(id, body.as_object().expect("an object"))
    }

    #[test]
    fn order_and_auth_do_not_matter_and_all_else_does() {
        let body = json!({"username": "a", "x": {"b": 1, "a": [true, null]}});
        assert_eq!(hash("s", &body), hash("s", &json!({"auth": {"type": "x"}, "x": {"a": [true, null], "b": 1}, "username": "a"})));
        for other in [
            json!({"username": "b", "x": {"b": 1, "a": [true, null]}}),
            json!({"username": "a", "x": {"b": 1, "a": [true, null, null]}}),
            json!({"username": "a", "x": {"b": "1", "a": [true, null]}}),
            json!({"username": "a", "x": {"b": 1, "a": [true, null], "auth": 1}}),
            json!({"username": "a"}),
            json!({}),
        ] {
            assert_ne!(hash("s", &body), hash("s", &other), "{other}");
        }
        assert_ne!(hash("s", &body), hash("t", &body));
    }
}
