//! Publishes signatures by a user's keys (specification: Client-Server API, `POST /keys/signatures/upload`).

use std::collections::BTreeMap;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{CrossSigningUsage, KeySignature, KeySignaturesAdded, user_entry::Kind},
    userserver::{UploadSignaturesRequest, UploadSignaturesResponse},
};
use banyan_users::keys::{
    cross_signing::{CrossSigningKey, KeySet, invalid_signature},
    signature,
};
use serde_json::{Map, Value, json};

use super::{command::Command, entries};
use crate::host::Inner;

/// Signatures in one entry: each has less than 1 KiB.
const PER_ENTRY: usize = 64;
/// Entries of one group.
const GROUP: usize = 8;

type Object = Map<String, Value>;

/// Whose signatures they are, and with what keys they were made.
struct Signer<'a> {
    inner: &'a Inner,
    user_id: &'a str,
    keys: KeySet,
}

/// Checks each signature for itself, stores those that are good and tells what is wrong with the others.
pub(crate) async fn upload_signatures(
    inner: &Inner,
    request: UploadSignaturesRequest,
) -> Result<UploadSignaturesResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let uploaded: BTreeMap<String, BTreeMap<String, Object>> =
        serde_json::from_slice(&request.signatures).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let signer = Signer { inner, user_id, keys: inner.shared.reader.cross_signing_keys(user_id).await? };
    let mut failures: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    let mut signatures = Vec::new();
    for (target_user, keys) in uploaded {
        let known = inner.shared.reader.key_signatures(user_id, &target_user).await?;
        for (target_key, object) in keys {
            match signer.check(&target_user, &target_key, &object).await? {
                Ok(new) => signatures.extend(new.into_iter().filter(|signature| !known.contains(signature))),
                Err(error) => {
                    let error = json!({ "errcode": error.errcode, "error": error.message });
                    failures.entry(target_user.clone()).or_default().insert(target_key, error);
                }
            }
        }
    }
    for group in signatures.chunks(PER_ENTRY * GROUP) {
        // What a user says of others' keys is theirs alone to see.
        let only_self = group.iter().all(|signature| signature.target_user != user_id);
        let entry = |chunk: &[KeySignature]| {
            entries::entry(user_id, Kind::KeySignatures(KeySignaturesAdded { signatures: chunk.to_vec() }))
        };
        turn.commit(group.chunks(PER_ENTRY).map(entry).chain([entries::device_list(user_id, only_self)]).collect()).await?;
    }
    let failures = if failures.is_empty() { json!({}) } else { json!(failures) };
    Ok(UploadSignaturesResponse { failures: failures.to_string().into() })
}

type Checked = Result<Vec<KeySignature>, ServiceError>;

impl Signer<'_> {
    /// The good signatures of one object, or what is wrong with it; the outer error is that this cannot be told.
    async fn check(&self, target_user: &str, target_key: &str, object: &Object) -> Result<Checked, ServiceError> {
        if target_user != self.user_id {
            return self.check_other(target_user, target_key, object).await;
        }
        if let Some(master) = self.keys.master.as_ref().filter(|master| master.public_key == target_key) {
            return self.check_own_master(master, object).await;
        }
        let Some(row) = self.inner.shared.reader.device_key(self.user_id, target_key).await? else {
            return Ok(Err(ServiceError::not_found("There is no such key")));
        };
        let stored: Object = serde_json::from_slice(&row.keys).map_err(|error| ServiceError::internal(error.to_string()))?;
        Ok(self.by_one_key(self.keys.self_signing.as_ref(), (target_user, target_key), object, &stored))
    }

    /// Of others one signs the master key, with the user-signing key.
    async fn check_other(&self, target_user: &str, target_key: &str, object: &Object) -> Result<Checked, ServiceError> {
        let master = self.inner.shared.reader.cross_signing_key(target_user, CrossSigningUsage::Master).await?;
        let Some(master) = master.filter(|master| master.public_key == target_key) else {
            return Ok(Err(ServiceError::not_found("There is no such key")));
        };
        Ok(self.by_one_key(self.keys.user_signing.as_ref(), (target_user, target_key), object, &master.object))
    }

    fn by_one_key(&self, key: Option<&CrossSigningKey>, target: (&str, &str), object: &Object, stored: &Object) -> Checked {
        let key = key.ok_or_else(|| ServiceError::not_found("There is no key to sign with"))?;
        must_match(object, stored)?;
        let key_id = key.key_id();
        let found = signature::of(object, self.user_id, &key_id).filter(|found| signature::verify(object, &key.public_key, found));
        let found = found.ok_or_else(|| invalid_signature("Invalid signature"))?;
        Ok(vec![signed(target, &key_id, found)])
    }

    /// The own master key is signed by the user's devices.
    async fn check_own_master(&self, master: &CrossSigningKey, object: &Object) -> Result<Checked, ServiceError> {
        if let Err(error) = must_match(object, &master.object) {
            return Ok(Err(error));
        }
        let given = object.get("signatures").and_then(|signatures| signatures.get(self.user_id)).and_then(Value::as_object);
        let mut good = Vec::new();
        for (key_id, found) in given.into_iter().flatten() {
            let Some(found) = found.as_str() else { return Ok(Err(invalid_signature("Invalid signature"))) };
            // What it had when it was uploaded comes back with it.
            if signature::of(&master.object, self.user_id, key_id) == Some(found) {
                continue;
            }
            let Some(public_key) = self.device_public_key(key_id).await? else {
                return Ok(Err(ServiceError::not_found("There is no key that could have signed this")));
            };
            if !signature::verify(object, &public_key, found) {
                return Ok(Err(invalid_signature("Invalid signature")));
            }
            good.push(signed((self.user_id, &master.public_key), key_id, found));
        }
        Ok(if good.is_empty() { Err(invalid_signature("There is no new signature")) } else { Ok(good) })
    }

    /// The public key `ed25519:<device id>` of a device of the signer.
    async fn device_public_key(&self, key_id: &str) -> Result<Option<String>, ServiceError> {
        let Some(device_id) = key_id.strip_prefix("ed25519:") else { return Ok(None) };
        let Some(row) = self.inner.shared.reader.device_key(self.user_id, device_id).await? else { return Ok(None) };
        let keys: Value = serde_json::from_slice(&row.keys).map_err(|error| ServiceError::internal(error.to_string()))?;
        Ok(keys["keys"][key_id].as_str().map(str::to_owned))
    }
}

fn signed((target_user, target_key): (&str, &str), key_id: &str, found: &str) -> KeySignature {
    KeySignature {
        target_user: target_user.to_owned(),
        target_key: target_key.to_owned(),
        key_id: key_id.to_owned(),
        signature: found.to_owned(),
    }
}

/// "The signed JSON object must match the key previously uploaded, with the exception of the `signatures` property."
fn must_match(object: &Object, stored: &Object) -> Result<(), ServiceError> {
    let plain = |object: &Object| {
        let mut object = object.clone();
        object.remove("signatures");
        object.remove("unsigned");
        object
    };
    if plain(object) == plain(stored) {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_PARAM", "This is not the key that was uploaded"))
}
