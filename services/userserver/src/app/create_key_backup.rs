//! Makes a version of a backup of room keys (specification: Client-Server API, `POST /room_keys/version`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{KeyBackup, KeyBackupChanged, KeyBackupNewest, RoomKeyCount, user_entry::Kind},
    userserver::{CreateKeyBackupRequest, CreateKeyBackupResponse},
};
use banyan_users::key_backup::{MAX_AUTH_DATA, MAX_VERSIONS};
use bytes::Bytes;

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// The next version; a request that is repeated gets the version that it made.
pub(crate) async fn create_key_backup(
    inner: &Inner,
    request: CreateKeyBackupRequest,
) -> Result<CreateKeyBackupResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let backup = checked(request.algorithm, request.auth_data)?;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let made = turn.earlier.iter().find_map(|entry| match &entry.kind {
        Some(Kind::KeyBackup(changed)) => Some(changed.version),
        _ => None,
    });
    if let Some(version) = made {
        return Ok(CreateKeyBackupResponse { version: version.to_string() });
    }
    active_account(inner, user_id).await?;
    let reader = &inner.shared.reader;
    if reader.key_backup_versions(user_id).await?.len() >= MAX_VERSIONS {
        return Err(ServiceError::too_large(format!("There are {MAX_VERSIONS} versions of your backup: delete some")));
    }
    let version = reader.newest_key_backup(user_id).await? + 1;
    let (newest, count) = (Some(KeyBackupNewest { version }), Some(RoomKeyCount::default()));
    let changed = KeyBackupChanged { version, backup: Some(backup), newest, count };
    turn.commit(vec![entries::entry(user_id, Kind::KeyBackup(changed))]).await?;
    Ok(CreateKeyBackupResponse { version: version.to_string() })
}

/// A configuration that fits into an entry.
pub(super) fn checked(algorithm: String, auth_data: Bytes) -> Result<KeyBackup, ServiceError> {
    if algorithm.len() + auth_data.len() > MAX_AUTH_DATA {
        return Err(ServiceError::too_large(format!("The algorithm and auth_data are larger than {MAX_AUTH_DATA} bytes")));
    }
    Ok(KeyBackup { algorithm, auth_data })
}
