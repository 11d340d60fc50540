//! Keys and their signatures as rows.

use banyan_log::DerivedRow;
use banyan_proto::users::{
    CrossSigningKeyChanged, CrossSigningKeyRow, DehydratedDeviceChanged, DeviceKeyRow, DeviceKeysRemoved, DeviceKeysUploaded,
    KeyClaimed, KeyPoolFilled, KeySignature, KeySignaturesAdded,
};
use banyan_store::{Key, key};

use super::{delete, put};
use crate::{
    keys::pool::REMEMBERED,
    tables::{CROSS_SIGNING_KEY, DEHYDRATED_DEVICE, DEVICE_KEY, KEY_POOL, KEY_SIGNATURE, ONE_TIME_KEY},
};

pub(super) fn uploaded(user_id: &str, uploaded: DeviceKeysUploaded, seq: u64) -> Vec<DerivedRow> {
    let device_id = uploaded.device_id.as_str();
    let mut rows = void(user_id, device_id, &uploaded.void_signatures);
    rows.push(put(&DEVICE_KEY, key![user_id], key![device_id], &DeviceKeyRow { keys: uploaded.keys, seq }));
    rows
}

pub(super) fn filled(user_id: &str, filled: KeyPoolFilled) -> Result<Vec<DerivedRow>, String> {
    let device_id = filled.device_id.as_str();
    let pool = filled.pool.ok_or("keys without their pool")?;
    let key = |key| put(&ONE_TIME_KEY, key![user_id, device_id], place(&key), &key);
    let mut rows: Vec<_> = filled.one_time_keys.into_iter().map(key).collect();
    rows.push(put(&KEY_POOL, key![user_id], key![device_id], &pool));
    Ok(rows)
}

pub(super) fn claimed(user_id: &str, claimed: KeyClaimed) -> Result<Vec<DerivedRow>, String> {
    let device_id = claimed.device_id.as_str();
    let pool = claimed.pool.ok_or("a claimed key without its pool")?;
    let key = claimed.key.ok_or("a claim without a key")?;
    let mut rows = vec![put(&KEY_POOL, key![user_id], key![device_id], &pool)];
    if !claimed.fallback
        && let Some(forgotten) = key.position.checked_sub(REMEMBERED)
    {
        rows.push(delete(&ONE_TIME_KEY, key![user_id, device_id], position(&key.algorithm, forgotten)));
    }
    Ok(rows)
}

pub(super) fn removed(user_id: &str, removed: &DeviceKeysRemoved) -> Vec<DerivedRow> {
    let device_id = removed.device_id.as_str();
    let mut rows = void(user_id, device_id, &removed.void_signatures);
    rows.push(delete(&DEVICE_KEY, key![user_id], key![device_id]));
    rows.push(delete(&KEY_POOL, key![user_id], key![device_id]));
    for (algorithm, keys) in &removed.one_time {
        let positions = keys.claimed_upto.saturating_sub(REMEMBERED)..keys.next;
        rows.extend(positions.map(|at| delete(&ONE_TIME_KEY, key![user_id, device_id], position(algorithm, at))));
    }
    rows
}

pub(super) fn cross_signing(user_id: &str, changed: CrossSigningKeyChanged, seq: u64) -> DerivedRow {
    let clustering = key![i64::from(changed.usage)];
    put(&CROSS_SIGNING_KEY, key![user_id], clustering, &CrossSigningKeyRow { key: changed.key, seq })
}

pub(super) fn dehydrated(user_id: &str, changed: DehydratedDeviceChanged) -> DerivedRow {
    match changed.device {
        Some(device) => put(&DEHYDRATED_DEVICE, key![user_id], key![], &device),
        None => delete(&DEHYDRATED_DEVICE, key![user_id], key![]),
    }
}

pub(super) fn signatures(user_id: &str, added: KeySignaturesAdded) -> Vec<DerivedRow> {
    let row = |signature: KeySignature| {
        let clustering = key![signature.target_user.as_str(), signature.target_key.as_str(), signature.key_id.as_str()];
        put(&KEY_SIGNATURE, key![user_id], clustering, &signature)
    };
    added.signatures.into_iter().map(row).collect()
}

fn void(user_id: &str, device_id: &str, key_ids: &[String]) -> Vec<DerivedRow> {
    let row = |key_id: &String| delete(&KEY_SIGNATURE, key![user_id], key![user_id, device_id, key_id.as_str()]);
    key_ids.iter().map(row).collect()
}

fn place(key: &banyan_proto::users::OneTimeKey) -> Key {
    position(&key.algorithm, key.position)
}

fn position(algorithm: &str, position: u64) -> Key {
    key![algorithm, i64::try_from(position).unwrap_or(i64::MAX)]
}
