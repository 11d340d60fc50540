//! Signatures of JSON objects by keys of users (specification: Appendices, "Signing JSON").

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue,
    serde::{Base64, base64::Standard},
    signatures::{SigningKeyAlgorithm, to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};
use serde_json::{Map, Value};

/// The signature of `signer`'s key `key_id` (with its algorithm) on an object.
#[must_use]
pub fn of<'a>(object: &'a Map<String, Value>, signer: &str, key_id: &str) -> Option<&'a str> {
    object.get("signatures")?.get(signer)?.get(key_id)?.as_str()
}

/// Whether `signature` is one of an object (without its `signatures` and `unsigned`) by an ed25519 key; key and signature in base64.
#[must_use]
pub fn verify(object: &Map<String, Value>, public_key: &str, signature: &str) -> bool {
    let decode = |text: &str| Base64::<Standard>::parse(text).map(Base64::into_inner).ok();
    let (Some(public_key), Some(signature)) = (decode(public_key), decode(signature)) else { return false };
    let Ok(CanonicalJsonValue::Object(object)) = CanonicalJsonValue::try_from(Value::Object(object.clone())) else { return false };
    let object: CanonicalJsonObject = object;
    let Ok(signed) = to_canonical_json_string_for_signing(&object) else { return false };
    verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, &public_key, &signature, signed.as_bytes()).is_ok()
}
