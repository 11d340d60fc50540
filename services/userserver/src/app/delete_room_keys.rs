//! Removes keys of a backup (specification: Client-Server API, `DELETE /room_keys/keys`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{RoomKeyCount, RoomKeyName, user_entry::Kind},
    userserver::{DeleteRoomKeysRequest, RoomKeysResponse},
};
use banyan_users::key_backup::{self, KeyBackupVersion, parse_version, unknown_version};

use super::{command::Command, entries};
use crate::{host::Inner, shard::Turn};

/// Names of one group of entries, which are less than 600 KiB then.
const GROUP: usize = 1_000;

/// Removes all keys of a version, those of a room, or that of a session. Keys that are not there are no error.
pub(crate) async fn delete_room_keys(inner: &Inner, request: DeleteRoomKeysRequest) -> Result<RoomKeysResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let reader = &inner.shared.reader;
    let version = parse_version(&request.version).ok_or_else(unknown_version)?;
    let backup = reader.key_backup(user_id, version).await?.ok_or_else(unknown_version)?;
    let DeleteRoomKeysRequest { room_id, session_id, .. } = request;
    let count = if session_id.is_empty() {
        let room_id = Some(room_id.as_str()).filter(|room_id| !room_id.is_empty());
        remove(inner, &mut turn, user_id, &backup, room_id).await?
    } else {
        let name = RoomKeyName { room_id, session_id };
        match reader.room_key(user_id, version, &name).await? {
            Some(_) => commit(&mut turn, user_id, version, backup.count, vec![name]).await?,
            None => backup.count,
        }
    };
    Ok(RoomKeysResponse { keys: count.keys, etag: count.etag })
}

/// Removes the keys of all rooms or of one, group by group. A request that is repeated goes on where it was.
pub(super) async fn remove(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    backup: &KeyBackupVersion,
    room_id: Option<&str>,
) -> Result<RoomKeyCount, ServiceError> {
    let mut keys = inner.shared.reader.room_keys(user_id, backup.version, room_id);
    let mut count = backup.count;
    let mut names = Vec::new();
    while let Some(key) = keys.next().await? {
        names.extend(key.name);
        if names.len() == GROUP {
            count = commit(turn, user_id, backup.version, count, std::mem::take(&mut names)).await?;
        }
    }
    commit(turn, user_id, backup.version, count, names).await
}

async fn commit(
    turn: &mut Turn<'_>,
    user_id: &str,
    version: u64,
    count: RoomKeyCount,
    names: Vec<RoomKeyName>,
) -> Result<RoomKeyCount, ServiceError> {
    let changes = key_backup::removed(version, count, names);
    let Some(count) = changes.last().map(|last| last.count.unwrap_or_default()) else { return Ok(count) };
    turn.commit(changes.into_iter().map(|change| entries::entry(user_id, Kind::RoomKeys(change))).collect()).await?;
    Ok(count)
}
