//! Publishes keys of a device (specification: Client-Server API, `POST /keys/upload`).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{DeviceKeysUploaded, KeyPool, OneTimeKey, UserEntry, user_entry::Kind},
    userserver::{UploadKeysRequest, UploadKeysResponse},
};
use banyan_users::keys::{
    pool::{self, REMEMBERED},
    upload::{self, UploadedKey},
};

use super::{command::Command, end_devices::signatures_of, entries};
use crate::host::Inner;

/// Entries of keys in one group: each has less than 80 KiB.
pub(super) const GROUP: usize = 8;

/// Publishes what is new; what is there already costs no entry.
pub(crate) async fn upload_keys(inner: &Inner, request: UploadKeysRequest) -> Result<UploadKeysResponse, ServiceError> {
    let device_id = request.caller.as_ref().map(|caller| caller.device_id.clone()).unwrap_or_default();
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    if device_id.is_empty() {
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "The access token has no device to have keys"));
    }
    let identity = match request.device_keys.as_ref() {
        [] => None,
        keys => Some(upload::device_keys(keys, user_id, &device_id)?),
    };
    let (one_time, fallback) = (keys(&request.one_time_keys)?, keys(&request.fallback_keys)?);
    let reader = &inner.shared.reader;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    if reader.device(user_id, &device_id).await?.is_none() {
        return Err(ServiceError::not_found("There is no such device"));
    }
    let mut group = match identity {
        Some(identity) => identity_entries(inner, user_id, &device_id, identity).await?,
        None => Vec::new(),
    };
    let mut pool = reader.key_pool(user_id, &device_id).await?.unwrap_or_default();
    let known = known_keys(inner, user_id, &device_id, &pool, &one_time).await?;
    let new = pool::new_keys(&pool, &known, one_time)?;
    let changed = pool::set_fallback(&mut pool, fallback)? || !new.is_empty();
    let filled = if changed { pool::filled(&device_id, pool, new) } else { Vec::new() };
    let mut filled = filled.into_iter().map(|filled| entries::entry(user_id, Kind::KeyPool(filled))).peekable();
    while !group.is_empty() || filled.peek().is_some() {
        group.extend(filled.by_ref().take(GROUP));
        turn.commit(std::mem::take(&mut group)).await?;
    }
    let counts = reader.key_counts(user_id, &device_id).await?;
    Ok(UploadKeysResponse { one_time_key_counts: counts.one_time.into_iter().collect() })
}

pub(super) fn keys(json: &[u8]) -> Result<Vec<UploadedKey>, ServiceError> {
    if json.is_empty() { Ok(Vec::new()) } else { upload::keys(json) }
}

/// Identity keys that differ from those that are there replace them; signatures of the old ones are void.
async fn identity_entries(inner: &Inner, user_id: &str, device_id: &str, identity: String) -> Result<Vec<UserEntry>, ServiceError> {
    let old = inner.shared.reader.device_key(user_id, device_id).await?;
    if old.as_ref().is_some_and(|old| old.keys == identity.as_bytes()) {
        return Ok(Vec::new());
    }
    let void_signatures = if old.is_some() { signatures_of(inner, user_id, device_id).await? } else { Vec::new() };
    let uploaded = DeviceKeysUploaded { device_id: device_id.to_owned(), keys: identity.into(), void_signatures };
    Ok(vec![entries::entry(user_id, Kind::DeviceKeys(uploaded)), entries::device_list(user_id, false)])
}

/// The keys of the algorithms of an upload that may be the same as some of it.
async fn known_keys(
    inner: &Inner,
    user_id: &str,
    device_id: &str,
    pool: &KeyPool,
    uploaded: &[UploadedKey],
) -> Result<Vec<OneTimeKey>, ServiceError> {
    let mut known = Vec::new();
    for (algorithm, keys) in &pool.one_time {
        if uploaded.iter().any(|key| key.algorithm == *algorithm) {
            let from = keys.claimed_upto.saturating_sub(REMEMBERED);
            known.extend(inner.shared.reader.one_time_keys(user_id, device_id, algorithm, from).await?);
        }
    }
    Ok(known)
}
