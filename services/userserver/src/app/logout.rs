//! Ends access tokens and their devices (specification: Client-Server API, `POST /logout`, `POST /logout/all`).

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Device, UserEntry},
    userserver::{LogoutRequest, LogoutResponse},
};
use banyan_users::TokenHash;

use super::{
    command::{Command, malformed},
    entries,
    to_device_queue::discard_all,
};
use crate::{
    host::Inner,
    shard::{MAX_GROUP, Turn},
};

/// Ends the token's device, or all devices of the user. What is gone already is no error.
pub(crate) async fn logout(inner: &Inner, request: LogoutRequest) -> Result<LogoutResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    let devices = if request.all {
        inner.shared.reader.devices(&command.user_id).await?
    } else {
        let hash = TokenHash::from_slice(&request.token_hash).ok_or_else(|| malformed("a token's hash has 32 bytes"))?;
        device_of_token(inner, &command.user_id, &hash).await?
    };
    end(inner, turn, &command.user_id, devices).await?;
    Ok(LogoutResponse {})
}

async fn device_of_token(inner: &Inner, user_id: &str, hash: &TokenHash) -> Result<BTreeMap<String, Device>, ServiceError> {
    let Some(token) = inner.shared.reader.access_token(hash).await? else { return Ok(BTreeMap::new()) };
    if token.user_id != user_id {
        return Err(ServiceError::forbidden("The access token is another user's"));
    }
    let mut device = inner.shared.reader.device(user_id, &token.device_id).await?.unwrap_or_default();
    // The token ends whatever the device knows of it.
    if !device.token_hashes.iter().any(|known| TokenHash::from_slice(known).is_some_and(|known| known == *hash)) {
        device.token_hashes.push(hash.as_bytes().to_vec().into());
    }
    Ok(BTreeMap::from([(token.device_id, device)]))
}

/// Empties the devices' queues, revokes their tokens and removes them; a user with very many has them removed in several groups.
pub(super) async fn end(
    inner: &Inner,
    mut turn: Turn<'_>,
    user_id: &str,
    devices: BTreeMap<String, Device>,
) -> Result<(), ServiceError> {
    discard_all(inner, &mut turn, user_id, devices.keys()).await?;
    let mut ended: Vec<Vec<UserEntry>> = devices
        .into_iter()
        .map(|(device_id, device)| {
            let revoked = entries::tokens_revoked(user_id, device.token_hashes, device.refresh_hashes);
            revoked.into_iter().chain([entries::device(user_id, &device_id, None)]).collect()
        })
        .collect();
    while !ended.is_empty() {
        let rest = ended.split_off(ended.len().min(MAX_GROUP / 2));
        turn.commit(ended.into_iter().flatten().collect()).await?;
        ended = rest;
    }
    Ok(())
}
