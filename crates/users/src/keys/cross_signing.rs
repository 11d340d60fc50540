//! Cross-signing keys (client-server specification, "Cross-signing").

use std::collections::BTreeMap;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::CrossSigningUsage;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{signature, upload::canonical};

/// The largest cross-signing key with its signatures, in bytes.
pub const MAX_KEY: usize = 16 * 1024;

/// A cross-signing key that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossSigningKey {
    /// Unpadded base64.
    pub public_key: String,
    /// The whole of it.
    pub object: Map<String, Value>,
}

#[derive(Deserialize)]
struct Shape {
    user_id: String,
    usage: Vec<String>,
    keys: BTreeMap<String, String>,
    #[serde(default, rename = "signatures")]
    _signatures: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a usage is called.
#[must_use]
pub const fn name(usage: CrossSigningUsage) -> &'static str {
    match usage {
        CrossSigningUsage::Master => "master",
        CrossSigningUsage::SelfSigning => "self_signing",
        CrossSigningUsage::UserSigning => "user_signing",
    }
}

impl CrossSigningKey {
    /// Checks an uploaded key, but for its signatures.
    ///
    /// # Errors
    /// `M_BAD_JSON` for another shape, `M_INVALID_PARAM` for another user's key, another usage, or a key that is not one ed25519 key
    /// under its own name; `M_TOO_LARGE`.
    pub fn check(json: &[u8], user_id: &str, usage: CrossSigningUsage) -> Result<Self, ServiceError> {
        if json.len() > MAX_KEY {
            return Err(ServiceError::too_large("A cross-signing key has at most 16 KiB"));
        }
        let bad = |error: serde_json::Error| ServiceError::bad_json(format!("{} key: {error}", name(usage)));
        let mut object: Map<String, Value> = serde_json::from_slice(json).map_err(bad)?;
        let shape = Shape::deserialize(Value::Object(object.clone())).map_err(bad)?;
        if shape.user_id != user_id {
            return Err(ServiceError::invalid_param("The key is another user's"));
        }
        if !shape.usage.iter().any(|known| known == name(usage)) {
            return Err(ServiceError::invalid_param(format!("The key is none for {}", name(usage))));
        }
        let mut keys = shape.keys.into_iter();
        let (Some((key_id, public_key)), None) = (keys.next(), keys.next()) else {
            return Err(ServiceError::invalid_param("A cross-signing key is exactly one key"));
        };
        if key_id.strip_prefix("ed25519:") != Some(public_key.as_str()) {
            return Err(ServiceError::invalid_param("A cross-signing key is an ed25519 key with itself as its name"));
        }
        object.remove("unsigned");
        canonical(Value::Object(object.clone()))?;
        Ok(Self { public_key, object })
    }

    /// Reads a key that was stored.
    #[must_use]
    pub fn stored(json: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(json).ok()?;
        let public_key = object.get("keys")?.as_object()?.values().next()?.as_str()?.to_owned();
        Some(Self { public_key, object })
    }

    /// Its id, with its algorithm.
    #[must_use]
    pub fn key_id(&self) -> String {
        format!("ed25519:{}", self.public_key)
    }

    /// As JSON text.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        Value::Object(self.object.clone()).to_string().into_bytes()
    }

    /// Whether it is the same key, whatever signatures it has.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.public_key == other.public_key
    }

    /// Refuses a key that `master` did not sign.
    ///
    /// # Errors
    /// `M_INVALID_SIGNATURE`.
    pub fn must_be_signed_by(&self, user_id: &str, master: &Self) -> Result<(), ServiceError> {
        let found = signature::of(&self.object, user_id, &master.key_id());
        if found.is_some_and(|found| signature::verify(&self.object, &master.public_key, found)) {
            return Ok(());
        }
        Err(invalid_signature("The key is not signed by the master key"))
    }
}

/// The cross-signing keys of a user, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    /// Signs the other two.
    pub master: Option<CrossSigningKey>,
    /// Signs the user's devices.
    pub self_signing: Option<CrossSigningKey>,
    /// Signs others' master keys; only the user sees it.
    pub user_signing: Option<CrossSigningKey>,
}

/// What stands against an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There are keys, and the caller did not confirm who they are.
    Unconfirmed,
}

impl From<Problem> for ServiceError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unconfirmed => Self::forbidden("Replacing cross-signing keys must be confirmed"),
        }
    }
}

impl KeySet {
    /// Checks uploaded keys (master, self-signing, user-signing; empty where there is none), but for their signatures.
    ///
    /// # Errors
    /// As [`CrossSigningKey::check`].
    pub fn check<B: AsRef<[u8]>>(user_id: &str, [master, self_signing, user_signing]: [B; 3]) -> Result<Self, ServiceError> {
        let check = |json: B, usage| match json.as_ref() {
            [] => Ok(None),
            json => CrossSigningKey::check(json, user_id, usage).map(Some),
        };
        Ok(Self {
            master: check(master, CrossSigningUsage::Master)?,
            self_signing: check(self_signing, CrossSigningUsage::SelfSigning)?,
            user_signing: check(user_signing, CrossSigningUsage::UserSigning)?,
        })
    }

    /// The key for a usage.
    #[must_use]
    pub const fn get(&self, usage: CrossSigningUsage) -> Option<&CrossSigningKey> {
        match usage {
            CrossSigningUsage::Master => self.master.as_ref(),
            CrossSigningUsage::SelfSigning => self.self_signing.as_ref(),
            CrossSigningUsage::UserSigning => self.user_signing.as_ref(),
        }
    }

    /// Whether there is a master key.
    #[must_use]
    pub const fn has_master(&self) -> bool {
        self.master.is_some()
    }

    /// Refuses keys that the master key among them, or else the `stored` one, did not sign.
    ///
    /// # Errors
    /// `M_MISSING_PARAM` where there is no master key, `M_INVALID_SIGNATURE`.
    pub fn must_be_signed(&self, user_id: &str, stored: &Self) -> Result<(), ServiceError> {
        for key in [&self.self_signing, &self.user_signing].into_iter().flatten() {
            let missing =
                || ServiceError::matrix(ErrorCode::InvalidArgument, "M_MISSING_PARAM", "No master signing key is available");
            let master = self.master.as_ref().or(stored.master.as_ref()).ok_or_else(missing)?;
            key.must_be_signed_by(user_id, master)?;
        }
        Ok(())
    }

    /// The keys that differ from the `stored` ones.
    #[must_use]
    pub fn changes(&self, stored: &Self) -> Vec<(CrossSigningUsage, CrossSigningKey)> {
        let usages = [CrossSigningUsage::Master, CrossSigningUsage::SelfSigning, CrossSigningUsage::UserSigning];
        let changed = |usage| {
            let key = self.get(usage)?;
            (!stored.get(usage).is_some_and(|stored| stored.is(key))).then(|| (usage, key.clone()))
        };
        usages.into_iter().filter_map(changed).collect()
    }
}

/// `M_INVALID_SIGNATURE`, 400.
#[must_use]
pub fn invalid_signature(message: &'static str) -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_SIGNATURE", message)
}

#[cfg(test)]
mod tests {
    use ruma::{
        CanonicalJsonObject,
        serde::{Base64, base64::Standard},
        signatures::{Ed25519KeyPair, sign_json},
    };
    use serde_json::json;

    use super::*;

    /// A key, and how it signs.
    fn pair() -> (String, impl Fn(&Value) -> Value) {
        let document = Ed25519KeyPair::generate();
        let bytes = Ed25519KeyPair::from_der(&document, "x".to_owned()).unwrap().public_key();
        let public_key = Base64::<Standard, _>::new(bytes).encode();
        let version = public_key.clone();
        let sign = move |value: &Value| {
            let pair = Ed25519KeyPair::from_der(&document, version.clone()).unwrap();
            let mut object: CanonicalJsonObject = serde_json::from_value(value.clone()).unwrap();
            sign_json("@a:x", &pair, &mut object).unwrap();
            serde_json::to_value(object).unwrap()
        };
        (public_key, sign)
    }

    fn unsigned(usage: &str, public_key: &str) -> Value {
        json!({"user_id": "@a:x", "usage": [usage], "keys": {format!("ed25519:{public_key}"): public_key}})
    }

    fn check(key: &Value, usage: CrossSigningUsage) -> Result<CrossSigningKey, ServiceError> {
        CrossSigningKey::check(key.to_string().as_bytes(), "@a:x", usage)
    }

    #[test]
    fn a_signature_of_the_master_key_is_needed() {
        let (master_key, sign) = pair();
        let (_, other) = pair();
        let master = check(&unsigned("master", &master_key), CrossSigningUsage::Master).unwrap();
        let plain = unsigned("self_signing", "abc");
        let of = |key: &Value| check(key, CrossSigningUsage::SelfSigning).unwrap().must_be_signed_by("@a:x", &master);
        of(&sign(&plain)).unwrap();
        for wrong in [plain.clone(), other(&plain)] {
            assert_eq!(of(&wrong).unwrap_err().errcode.as_deref(), Some("M_INVALID_SIGNATURE"));
        }
        let mut changed = sign(&plain);
        changed["more"] = 1.into();
        assert!(of(&changed).is_err());
    }

    #[test]
    fn keys_of_another_form_are_refused() {
        let good = unsigned("master", "abc");
        let read = CrossSigningKey::stored(good.to_string().as_bytes()).unwrap();
        assert_eq!((read.public_key.as_str(), read.key_id().as_str()), ("abc", "ed25519:abc"));
        let refused = |change: fn(&mut Value)| {
            let mut key = good.clone();
            change(&mut key);
            check(&key, CrossSigningUsage::Master).unwrap_err().errcode.unwrap().into_owned()
        };
        assert_eq!(refused(|key| key["user_id"] = "@b:x".into()), "M_INVALID_PARAM");
        assert_eq!(refused(|key| key["usage"] = json!(["self_signing"])), "M_INVALID_PARAM");
        assert_eq!(refused(|key| key["keys"] = json!({})), "M_INVALID_PARAM");
        assert_eq!(refused(|key| key["keys"] = json!({"ed25519:a": "a", "ed25519:b": "b"})), "M_INVALID_PARAM");
        assert_eq!(refused(|key| key["keys"] = json!({"ed25519:a": "b"})), "M_INVALID_PARAM");
        assert_eq!(refused(|key| key["keys"] = json!([])), "M_BAD_JSON");
        assert_eq!(refused(|key| key["signatures"] = json!({"@a:x": 5})), "M_BAD_JSON");
        assert_eq!(refused(|key| key["x"] = "y".repeat(MAX_KEY).into()), "M_TOO_LARGE");
    }
}
