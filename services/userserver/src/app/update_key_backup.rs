//! Replaces the `auth_data` of a backup of room keys (specification: Client-Server API, `PUT /room_keys/version/{version}`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{KeyBackupChanged, KeyBackupNewest, user_entry::Kind},
    userserver::{UpdateKeyBackupRequest, UpdateKeyBackupResponse},
};
use banyan_users::key_backup::{parse_version, unknown_version};

use super::{command::Command, create_key_backup::checked, entries};
use crate::host::Inner;

/// What is there already costs no entry.
pub(crate) async fn update_key_backup(
    inner: &Inner,
    request: UpdateKeyBackupRequest,
) -> Result<UpdateKeyBackupResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let backup = checked(request.algorithm, request.auth_data)?;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(UpdateKeyBackupResponse {});
    }
    let reader = &inner.shared.reader;
    let version = parse_version(&request.version).ok_or_else(unknown_version)?;
    let stored = reader.key_backup(user_id, version).await?.ok_or_else(unknown_version)?;
    if stored.algorithm != backup.algorithm {
        return Err(ServiceError::invalid_param("Algorithm does not match"));
    }
    if stored.auth_data != backup.auth_data {
        let newest = Some(KeyBackupNewest { version: reader.newest_key_backup(user_id).await? });
        let changed = KeyBackupChanged { version, backup: Some(backup), newest, count: None };
        turn.commit(vec![entries::entry(user_id, Kind::KeyBackup(changed))]).await?;
    }
    Ok(UpdateKeyBackupResponse {})
}
