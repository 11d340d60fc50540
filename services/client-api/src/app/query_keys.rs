//! Reading the keys of devices and users.

use std::collections::{BTreeMap, BTreeSet};

use banyan_core::ServiceError;
use banyan_proto::users::KeySignature;
use banyan_users::keys::cross_signing::CrossSigningKey;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value, json};

use super::{App, Requester};

/// Users who are read at a time.
const PARALLEL: usize = 32;

/// Device ids by user; none: all.
pub(crate) type Wanted = BTreeMap<OwnedUserId, BTreeSet<String>>;

/// What there is of one user.
#[derive(Debug)]
struct UserKeys {
    devices: Map<String, Value>,
    master: Option<Value>,
    self_signing: Option<Value>,
    user_signing: Option<Value>,
}

impl App {
    /// The keys of users' devices and their cross-signing keys, with the signatures that the caller may see: the users' own and the
    /// caller's. Users of other servers are among the failures.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn query_keys(&self, requester: &Requester, wanted: Wanted) -> Result<Value, ServiceError> {
        let (local, failures) = self.reachable(wanted);
        let reads = local.into_iter().map(|(user_id, devices)| async move {
            let keys = self.keys_of(requester, &user_id, &devices).await?;
            Ok::<_, ServiceError>((user_id, keys))
        });
        let found: Vec<_> = stream::iter(reads).buffer_unordered(PARALLEL).try_collect().await?;
        let [mut devices, mut master, mut self_signing, mut user_signing] = std::array::from_fn(|_| Map::new());
        for (user_id, keys) in found {
            let Some(keys) = keys else { continue };
            devices.insert(user_id.to_string(), Value::Object(keys.devices));
            let cross_signing =
                [(&mut master, keys.master), (&mut self_signing, keys.self_signing), (&mut user_signing, keys.user_signing)];
            for (of_users, key) in cross_signing {
                of_users.extend(key.map(|key| (user_id.to_string(), key)));
            }
        }
        Ok(json!({
            "device_keys": devices,
            "failures": failures,
            "master_keys": master,
            "self_signing_keys": self_signing,
            "user_signing_keys": user_signing,
        }))
    }

    /// The keys of one user; `None` if there is no such user.
    async fn keys_of(
        &self,
        requester: &Requester,
        user_id: &UserId,
        wanted: &BTreeSet<String>,
    ) -> Result<Option<UserKeys>, ServiceError> {
        let (user, own) = (user_id.as_str(), requester.user_id == user_id);
        let of_others =
            async { if own { Ok(Vec::new()) } else { self.users.key_signatures(requester.user_id.as_str(), user).await } };
        let (rows, names, cross_signing, signatures, mine) = tokio::try_join!(
            self.users.device_keys(user),
            self.users.devices(user),
            self.users.cross_signing_keys(user),
            self.users.key_signatures(user, user),
            of_others,
        )?;
        if names.is_empty() && !cross_signing.has_master() && self.users.account(user).await?.is_none() {
            return Ok(None);
        }
        let mut devices = Map::new();
        for (device_id, row) in rows.into_iter().filter(|(device_id, _)| wanted.is_empty() || wanted.contains(device_id)) {
            let keys: Map<String, Value> =
                serde_json::from_slice(&row.keys).map_err(|error| ServiceError::internal(format!("keys of a device: {error}")))?;
            let mut keys = with_signatures(keys, user, &device_id, &signatures);
            let name = names.get(&device_id).map(|device| device.display_name.as_str()).filter(|name| !name.is_empty());
            keys.insert("unsigned".to_owned(), name.map_or_else(|| json!({}), |name| json!({ "device_display_name": name })));
            devices.insert(device_id, Value::Object(keys));
        }
        let cross_key = |key: CrossSigningKey| {
            let signed = with_signatures(key.object, user, &key.public_key, &signatures);
            Value::Object(with_signatures(signed, requester.user_id.as_str(), &key.public_key, &mine))
        };
        Ok(Some(UserKeys {
            devices,
            master: cross_signing.master.map(cross_key),
            self_signing: cross_signing.self_signing.map(cross_key),
            user_signing: cross_signing.user_signing.filter(|_| own).map(cross_key),
        }))
    }
}

/// A key with what was signed of it since it was uploaded.
fn with_signatures(mut key: Map<String, Value>, signer: &str, name: &str, signatures: &[KeySignature]) -> Map<String, Value> {
    for KeySignature { key_id, signature, .. } in signatures.iter().filter(|signature| signature.target_key == name) {
        let all = key.entry("signatures").or_insert_with(|| json!({}));
        if !all[signer].is_object() {
            all[signer] = json!({});
        }
        all[signer][key_id] = json!(signature);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_added_to_those_that_came_with_the_key() {
        let Value::Object(key) = json!({"keys": {}, "signatures": {"@a:x": {"ed25519:D": "own"}}}) else { unreachable!() };
        let signature = |target_key: &str, key_id: &str| KeySignature {
            target_user: "@a:x".to_owned(),
            target_key: target_key.to_owned(),
            key_id: key_id.to_owned(),
            signature: "new".to_owned(),
        };
        let signatures = [signature("D", "ed25519:S"), signature("E", "ed25519:S")];
        let signed = with_signatures(with_signatures(key, "@a:x", "D", &signatures), "@b:x", "D", &signatures[..1]);
        let expected = json!({"@a:x": {"ed25519:D": "own", "ed25519:S": "new"}, "@b:x": {"ed25519:S": "new"}});
        assert_eq!(signed["signatures"], expected);
    }
}
