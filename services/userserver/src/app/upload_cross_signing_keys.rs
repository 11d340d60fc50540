//! Publishes cross-signing keys (specification: Client-Server API, `POST /keys/device_signing/upload`).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{CrossSigningKeyChanged, CrossSigningUsage, user_entry::Kind},
    userserver::{UploadCrossSigningKeysRequest, UploadCrossSigningKeysResponse},
};
use banyan_users::keys::cross_signing::{CrossSigningKey, KeySet, Problem};

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Publishes the keys that are new. Whoever has keys replaces them only after confirming who they are.
pub(crate) async fn upload_cross_signing_keys(
    inner: &Inner,
    request: UploadCrossSigningKeysRequest,
) -> Result<UploadCrossSigningKeysResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let uploaded = KeySet::check(user_id, [&request.master_key, &request.self_signing_key, &request.user_signing_key])?;
    let reader = &inner.shared.reader;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    active_account(inner, user_id).await?;
    let stored = reader.cross_signing_keys(user_id).await?;
    uploaded.must_be_signed(user_id, &stored)?;
    let changed = uploaded.changes(&stored);
    if changed.is_empty() {
        return Ok(UploadCrossSigningKeysResponse {});
    }
    if stored.has_master() && !request.confirmed {
        return Err(Problem::Unconfirmed.into());
    }
    let devices = reader.devices(user_id).await?;
    if changed.iter().any(|(_, key)| devices.contains_key(&key.public_key)) {
        return Err(ServiceError::matrix(ErrorCode::Forbidden, "M_FORBIDDEN", "Key ID in use"));
    }
    let only_self = changed.iter().all(|(usage, _)| *usage == CrossSigningUsage::UserSigning);
    let entry = |(usage, key): (CrossSigningUsage, CrossSigningKey)| {
        let changed = CrossSigningKeyChanged { usage: usage.into(), key: key.json().into() };
        entries::entry(user_id, Kind::CrossSigningKey(changed))
    };
    let mut group: Vec<_> = changed.into_iter().map(entry).collect();
    group.push(entries::device_list(user_id, only_self));
    turn.commit(group).await?;
    Ok(UploadCrossSigningKeysResponse {})
}
