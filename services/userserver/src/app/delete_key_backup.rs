//! Deletes a backup of room keys (specification: Client-Server API, `DELETE /room_keys/version/{version}`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{KeyBackupChanged, KeyBackupNewest, user_entry::Kind},
    userserver::{DeleteKeyBackupRequest, DeleteKeyBackupResponse},
};
use banyan_users::key_backup::{KeyBackupVersion, parse_version, unknown_version};

use super::{command::Command, delete_room_keys::remove, entries};
use crate::{host::Inner, shard::Turn};

/// The keys go first, so that none is left behind whatever ends in between: whoever asks again goes on with what is left.
pub(crate) async fn delete_key_backup(
    inner: &Inner,
    request: DeleteKeyBackupRequest,
) -> Result<DeleteKeyBackupResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let reader = &inner.shared.reader;
    let version = parse_version(&request.version).ok_or_else(unknown_version)?;
    let newest = reader.newest_key_backup(user_id).await?;
    let Some(backup) = reader.key_backup(user_id, version).await? else {
        let was_there = (1..=newest).contains(&version);
        return if was_there { Ok(DeleteKeyBackupResponse {}) } else { Err(unknown_version()) };
    };
    end(inner, &mut turn, user_id, newest, &backup).await?;
    Ok(DeleteKeyBackupResponse {})
}

/// Deletes all versions of a user's backup.
pub(super) async fn delete_all(inner: &Inner, turn: &mut Turn<'_>, user_id: &str) -> Result<(), ServiceError> {
    let reader = &inner.shared.reader;
    let newest = reader.newest_key_backup(user_id).await?;
    for version in reader.key_backup_versions(user_id).await? {
        if let Some(backup) = reader.key_backup(user_id, version).await? {
            end(inner, turn, user_id, newest, &backup).await?;
        }
    }
    Ok(())
}

async fn end(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    newest: u64,
    backup: &KeyBackupVersion,
) -> Result<(), ServiceError> {
    remove(inner, turn, user_id, backup, None).await?;
    let newest = Some(KeyBackupNewest { version: newest });
    let changed = KeyBackupChanged { version: backup.version, backup: None, newest, count: None };
    turn.commit(vec![entries::entry(user_id, Kind::KeyBackup(changed))]).await
}
