//! What POST `/keys/upload` may bring.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use ruma::CanonicalJsonValue;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The largest identity keys of a device, in bytes.
pub const MAX_DEVICE_KEYS: usize = 32 * 1024;
/// The largest one-time or fallback key, in bytes.
pub const MAX_KEY: usize = 4 * 1024;
/// The largest data of a dehydrated device (MSC3814), in bytes.
pub const MAX_DEHYDRATED: usize = 64 * 1024;
/// The longest name of an algorithm or id of a key, in bytes.
const MAX_NAME: usize = 255;

/// A one-time or fallback key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedKey {
    /// Its algorithm.
    pub algorithm: String,
    /// Its id, without the algorithm.
    pub key_id: String,
    /// A string or an object.
    pub key: Value,
}

/// The shape of identity keys; further members are kept as they are.
#[derive(Deserialize)]
struct DeviceKeys {
    user_id: String,
    device_id: String,
    #[serde(rename = "algorithms")]
    _algorithms: Vec<String>,
    #[serde(rename = "keys")]
    _keys: BTreeMap<String, String>,
    #[serde(rename = "signatures")]
    _signatures: BTreeMap<String, BTreeMap<String, String>>,
}

/// Checks the identity keys of a device; gives their canonical JSON, without what servers add. Their signatures are for other
/// clients to check.
///
/// # Errors
/// `M_BAD_JSON` for another shape, `M_INVALID_PARAM` if they are another user's or device's, `M_TOO_LARGE`.
pub fn device_keys(json: &[u8], user_id: &str, device_id: &str) -> Result<String, ServiceError> {
    let mut object: Map<String, Value> = object(json, "device_keys")?;
    let keys = DeviceKeys::deserialize(Value::Object(object.clone()))
        .map_err(|error| ServiceError::bad_json(format!("device_keys: {error}")))?;
    if keys.user_id != user_id || keys.device_id != device_id {
        return Err(ServiceError::invalid_param("The keys are those of another device"));
    }
    object.remove("unsigned");
    let canonical = canonical(Value::Object(object))?;
    if canonical.len() > MAX_DEVICE_KEYS {
        return Err(ServiceError::too_large("The keys of a device have at most 32 KiB"));
    }
    Ok(canonical)
}

/// Reads one-time or fallback keys: an object from `algorithm:key_id` to the key.
///
/// # Errors
/// `M_BAD_JSON` for another shape, `M_INVALID_PARAM` for a name that is none, `M_TOO_LARGE`.
pub fn keys(json: &[u8]) -> Result<Vec<UploadedKey>, ServiceError> {
    object(json, "keys")?.into_iter().map(|(name, key)| one(&name, key)).collect()
}

fn one(name: &str, key: Value) -> Result<UploadedKey, ServiceError> {
    let invalid = || ServiceError::invalid_param(format!("{name:.300} is no name of a key: algorithm:key_id"));
    let (algorithm, key_id) = name.split_once(':').ok_or_else(invalid)?;
    let proper = |part: &str| !part.is_empty() && part.len() <= MAX_NAME && !part.contains('\0');
    if !proper(algorithm) || !proper(key_id) {
        return Err(invalid());
    }
    let whole = match &key {
        Value::String(_) => true,
        Value::Object(object) => object.get("key").is_some_and(Value::is_string),
        _ => false,
    };
    if !whole {
        return Err(ServiceError::bad_json(format!("{name}: a key is a string or an object with `key`")));
    }
    if canonical(key.clone())?.len() > MAX_KEY {
        return Err(ServiceError::too_large("A key has at most 4 KiB"));
    }
    Ok(UploadedKey { algorithm: algorithm.to_owned(), key_id: key_id.to_owned(), key })
}

fn object(json: &[u8], what: &str) -> Result<Map<String, Value>, ServiceError> {
    serde_json::from_slice(json).map_err(|error| ServiceError::bad_json(format!("{what}: {error}")))
}

/// Canonical JSON: keys are signed in this form, so nothing else can be right.
pub(super) fn canonical(value: Value) -> Result<String, ServiceError> {
    CanonicalJsonValue::try_from(value)
        .map(|canonical| canonical.to_string())
        .map_err(|error| ServiceError::bad_json(format!("not canonical JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errcode<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
        result.unwrap_err().errcode.unwrap().into_owned()
    }

    #[test]
    fn identity_keys_are_whole_and_the_devices_own() {
        let keys = json!({
            "user_id": "@a:x", "device_id": "D", "algorithms": ["m.olm"], "keys": {"ed25519:D": "k"},
            "signatures": {"@a:x": {"ed25519:D": "s"}}, "unsigned": {"a": 1}, "org.example": true,
        });
        let check = |keys: &Value, user, device| device_keys(keys.to_string().as_bytes(), user, device);
        let canonical = check(&keys, "@a:x", "D").unwrap();
        assert!(!canonical.contains("unsigned") && canonical.contains("org.example"));
        assert_eq!(errcode(check(&keys, "@b:x", "D")), "M_INVALID_PARAM");
        assert_eq!(errcode(check(&keys, "@a:x", "E")), "M_INVALID_PARAM");
        for member in ["algorithms", "keys", "signatures", "user_id", "device_id"] {
            let mut keys = keys.clone();
            keys.as_object_mut().unwrap().remove(member);
            assert_eq!(errcode(check(&keys, "@a:x", "D")), "M_BAD_JSON", "{member}");
        }
        let mut large = keys;
        large["x"] = "y".repeat(MAX_DEVICE_KEYS).into();
        assert_eq!(errcode(check(&large, "@a:x", "D")), "M_TOO_LARGE");
    }

    #[test]
    fn keys_have_a_name_and_a_form() {
        let read = |value: Value| keys(value.to_string().as_bytes());
        let read_keys = read(json!({"curve25519:A": "k", "signed_curve25519:B:c": {"key": "k"}})).unwrap();
        assert_eq!(read_keys[1].key_id, "B:c");
        for (value, code) in [
            (json!({"curve25519": "k"}), "M_INVALID_PARAM"),
            (json!({":A": "k"}), "M_INVALID_PARAM"),
            (json!({"curve25519:": "k"}), "M_INVALID_PARAM"),
            (json!({"curve25519:A": 5}), "M_BAD_JSON"),
            (json!({"curve25519:A": {"signatures": {}}}), "M_BAD_JSON"),
            (json!({"curve25519:A": {"key": "k", "x": 0.5}}), "M_BAD_JSON"),
            (json!({"curve25519:A": "k".repeat(5000)}), "M_TOO_LARGE"),
        ] {
            assert_eq!(errcode(read(value.clone())), code, "{value}");
        }
    }
}
