//! Ends access tokens and their devices (specification: Client-Server API, `POST /logout`, `POST /logout/all`).

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    users::Device,
    userserver::{LogoutRequest, LogoutResponse},
};
use banyan_users::TokenHash;

use super::{
    command::{Command, malformed},
    end_devices::end_devices,
};
use crate::host::Inner;

/// Ends the device of an access token or refresh token, or all devices of the user. What is gone already is no error.
pub(crate) async fn logout(inner: &Inner, request: LogoutRequest) -> Result<LogoutResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    let devices = if request.all {
        inner.shared.reader.devices(&command.user_id).await?
    } else if !request.refresh_hash.is_empty() {
        device_of_refresh_token(inner, &command.user_id, &request.refresh_hash).await?
    } else {
        let hash = TokenHash::from_slice(&request.token_hash).ok_or_else(|| malformed("a token's hash has 32 bytes"))?;
        device_of_token(inner, &command.user_id, &hash).await?
    };
    end_devices(inner, turn, &command.user_id, devices).await?;
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

async fn device_of_refresh_token(inner: &Inner, user_id: &str, hash: &[u8]) -> Result<BTreeMap<String, Device>, ServiceError> {
    let hash = TokenHash::from_slice(hash).ok_or_else(|| malformed("a token's hash has 32 bytes"))?;
    let Some(token) = inner.shared.reader.refresh_token(&hash).await? else { return Ok(BTreeMap::new()) };
    if token.user_id != user_id {
        return Err(ServiceError::forbidden("The refresh token is another user's"));
    }
    // A device that logged in again has other tokens: it stays.
    let device = inner.shared.reader.device(user_id, &token.device_id).await?;
    let known = |device: &Device| device.refresh_hashes.iter().any(|known| known[..] == hash.as_bytes()[..]);
    Ok(device.filter(known).map(|device| (token.device_id, device)).into_iter().collect())
}
