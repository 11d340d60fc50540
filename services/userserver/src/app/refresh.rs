//! New tokens for a refresh token (specification: Client-Server API, "Refreshing access tokens").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{Device, UserEntry},
    userserver::{ConfirmTokenRequest, ConfirmTokenResponse, LoginResponse, RefreshRequest},
};
use banyan_users::TokenHash;
use prost::bytes::Bytes;

use super::{
    command::{Command, malformed, refuse_locked},
    entries,
    issue_token::{Pair, lifetime},
};
use crate::host::Inner;

/// Issues the next pair. What it replaces stays until one of the pair is used, so a client that did not get the answer asks again, and
/// the pair that it did not get ends.
pub(crate) async fn refresh(inner: &Inner, request: RefreshRequest) -> Result<LoginResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let hash = hash(&request.token_hash)?;
    let (user_id, reader) = (command.user_id.as_str(), &inner.shared.reader);
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let token = reader.refresh_token(&hash).await?.filter(|token| token.user_id == user_id).ok_or_else(ended)?;
    let account = reader.account(user_id).await?.filter(|account| !account.deactivated).ok_or_else(ended)?;
    refuse_locked(&account)?;
    let device = reader.device(user_id, &token.device_id).await?;
    let known = |device: &Device| device.refresh_hashes.contains(&request.token_hash);
    let mut device = device.filter(known).ok_or_else(ended)?;
    let mut group = Vec::new();
    if device.next_refresh == request.token_hash {
        group.extend(confirm(user_id, &mut device));
    } else {
        group.extend(forget_next(user_id, &mut device));
    }
    let pair = Pair {
        user_id,
        device_id: &token.device_id,
        kind: account.kind(),
        lifetime: lifetime(&command, true),
        unconfirmed: true,
        oauth_client: &token.oauth_client,
    };
    let issued = pair.issue(inner, &mut device);
    device.next_token = device.token_hashes.last().cloned().unwrap_or_default();
    device.next_refresh = device.refresh_hashes.last().cloned().unwrap_or_default();
    group.push(entries::device(user_id, &token.device_id, Some(device)));
    group.extend(issued.entries);
    turn.commit(group).await?;
    Ok(issued.answer)
}

/// An access token of the last refresh was used: what came before it ends. Saying so twice changes nothing.
pub(crate) async fn confirm_token(inner: &Inner, request: ConfirmTokenRequest) -> Result<ConfirmTokenResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let hash = hash(&request.token_hash)?;
    let (user_id, reader) = (command.user_id.as_str(), &inner.shared.reader);
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let token = reader.access_token(&hash).await?.filter(|token| token.user_id == user_id && token.unconfirmed);
    let Some(mut token) = token else { return Ok(ConfirmTokenResponse {}) };
    token.unconfirmed = false;
    let device_id = token.device_id.clone();
    let mut group = vec![entries::token_issued(user_id, &hash, token)];
    if let Some(mut device) = reader.device(user_id, &device_id).await?
        && device.next_token == request.token_hash
    {
        group.extend(confirm(user_id, &mut device));
        group.push(entries::device(user_id, &device_id, Some(device)));
    }
    turn.commit(group).await?;
    Ok(ConfirmTokenResponse {})
}

/// Only the last pair is left.
fn confirm(user_id: &str, device: &mut Device) -> Option<UserEntry> {
    let (token, refresh) = (std::mem::take(&mut device.next_token), std::mem::take(&mut device.next_refresh));
    let old = others(&mut device.token_hashes, &token);
    let old_refresh = others(&mut device.refresh_hashes, &refresh);
    entries::tokens_revoked(user_id, old, old_refresh)
}

/// The last pair ends unused.
fn forget_next(user_id: &str, device: &mut Device) -> Option<UserEntry> {
    let (token, refresh) = (std::mem::take(&mut device.next_token), std::mem::take(&mut device.next_refresh));
    device.token_hashes.retain(|hash| *hash != token);
    device.refresh_hashes.retain(|hash| *hash != refresh);
    let some = |hash: Bytes| Some(hash).filter(|hash| !hash.is_empty()).into_iter().collect();
    entries::tokens_revoked(user_id, some(token), some(refresh))
}

/// Takes all hashes but one out of a list.
fn others(hashes: &mut Vec<Bytes>, kept: &Bytes) -> Vec<Bytes> {
    let (kept, others) = std::mem::take(hashes).into_iter().partition(|hash| hash == kept);
    *hashes = kept;
    others
}

fn hash(bytes: &[u8]) -> Result<TokenHash, ServiceError> {
    TokenHash::from_slice(bytes).ok_or_else(|| malformed("a token's hash has 32 bytes"))
}

/// The client may log in again on the same device.
fn ended() -> ServiceError {
    let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNKNOWN_TOKEN", "The refresh token is unknown or was used");
    error.with_extra(r#"{"soft_logout":true}"#.to_owned())
}
