//! Stores keys in a backup (specification: Client-Server API, `PUT /room_keys/keys`).

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    users::{RoomKey, RoomKeyCount, RoomKeyName, RoomKeyRow, user_entry::Kind},
    userserver::{NewRoomKey, PutRoomKeysRequest, RoomKeysResponse},
};
use banyan_users::key_backup::{
    self, KeyBackupVersion, MAX_KEYS, check_request, parse_version, replaces, unknown_version, wrong_version,
};

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Stores what is new or better than what is there, as one group of entries. A request that is repeated hears the count of then.
pub(crate) async fn put_room_keys(inner: &Inner, request: PutRoomKeysRequest) -> Result<RoomKeysResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let keys: Vec<RoomKey> = request.keys.into_iter().map(named).collect();
    check_request(&keys)?;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let earlier = turn.earlier.iter().rev().find_map(|entry| match &entry.kind {
        Some(Kind::RoomKeys(changed)) => changed.count,
        _ => None,
    });
    if let Some(count) = earlier {
        return Ok(answer(count));
    }
    active_account(inner, user_id).await?;
    let backup = current(inner, user_id, &request.version).await?;
    let changes = better(inner, user_id, backup.version, keys).await?;
    let entries = key_backup::stored(backup.version, backup.count, changes);
    let Some(count) = entries.last().map(|last| last.count.unwrap_or_default()) else { return Ok(answer(backup.count)) };
    if count.keys > MAX_KEYS {
        return Err(ServiceError::too_large(format!("A backup has at most {MAX_KEYS} keys")));
    }
    turn.commit(entries.into_iter().map(|change| entries::entry(user_id, Kind::RoomKeys(change))).collect()).await?;
    Ok(answer(count))
}

fn named(key: NewRoomKey) -> RoomKey {
    let NewRoomKey { room_id, session_id, first_message_index, forwarded_count, is_verified, session_data } = key;
    let key = RoomKeyRow { first_message_index, forwarded_count, is_verified, session_data };
    RoomKey { name: Some(RoomKeyName { room_id, session_id }), key: Some(key) }
}

fn answer(count: RoomKeyCount) -> RoomKeysResponse {
    RoomKeysResponse { keys: count.keys, etag: count.etag }
}

/// The version that is named, which must be the current one.
async fn current(inner: &Inner, user_id: &str, version: &str) -> Result<KeyBackupVersion, ServiceError> {
    let reader = &inner.shared.reader;
    let version = parse_version(version).ok_or_else(unknown_version)?;
    let backup = reader.key_backup(user_id, version).await?.ok_or_else(unknown_version)?;
    match reader.key_backup_versions(user_id).await?.first() {
        Some(current) if *current != version => Err(wrong_version(*current)),
        _ => Ok(backup),
    }
}

/// The keys that are new or replace what is there, with whether they are new. Of a name that comes twice the last one counts.
async fn better(inner: &Inner, user_id: &str, version: u64, keys: Vec<RoomKey>) -> Result<Vec<(RoomKey, bool)>, ServiceError> {
    let named: BTreeMap<(String, String), RoomKey> =
        keys.into_iter().filter_map(|key| key.name.clone().map(|name| ((name.room_id, name.session_id), key))).collect();
    let names = named.values().filter_map(|key| key.name.as_ref());
    let stored = inner.shared.reader.room_keys_named(user_id, version, names).await?;
    let mut better = Vec::new();
    for (key, stored) in named.into_values().zip(stored) {
        let wins = match (&key.key, &stored) {
            (Some(new), Some(old)) => replaces(new, old),
            (new, _) => new.is_some(),
        };
        if wins {
            better.push((key, stored.is_none()));
        }
    }
    Ok(better)
}
