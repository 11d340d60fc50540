//! Gives out keys (specification: Client-Server API, `POST /keys/claim`).

use std::collections::HashMap;

use banyan_core::ServiceError;
use banyan_proto::{
    users::{KeyClaimed, OneTimeKey, UserEntry, user_entry::Kind},
    userserver::{ClaimKeysRequest, ClaimKeysResponse, ClaimedKey},
};
use banyan_users::keys::pool::{self, Claim};

use super::{command::Command, entries};
use crate::{
    host::Inner,
    shard::{MAX_GROUP, Turn},
};

/// Claims in one group: each has a pool, with its fallback keys, beside the key.
const GROUP: usize = 16;
const _: () = assert!(GROUP <= MAX_GROUP);

/// Gives a key of each device, or its fallback key. A claim is an entry of the user's log, so no key is given twice; a request that is
/// repeated gets the keys that it got.
pub(crate) async fn claim_keys(inner: &Inner, request: ClaimKeysRequest) -> Result<ClaimKeysResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    let mut keys = HashMap::new();
    let mut group = Vec::new();
    for (device_id, algorithm) in request.devices {
        let claimed = match given_before(&turn, &device_id, &algorithm) {
            Some(key) => Some(key),
            None => claim(inner, &command.user_id, &device_id, &algorithm, &mut group).await?,
        };
        if let Some(OneTimeKey { algorithm, key_id, key, .. }) = claimed {
            keys.insert(device_id, ClaimedKey { key_id: format!("{algorithm}:{key_id}"), key });
        }
        if group.len() == GROUP {
            turn.commit(std::mem::take(&mut group)).await?;
        }
    }
    if !group.is_empty() {
        turn.commit(group).await?;
    }
    Ok(ClaimKeysResponse { keys })
}

fn given_before(turn: &Turn<'_>, device_id: &str, algorithm: &str) -> Option<OneTimeKey> {
    turn.earlier.iter().find_map(|entry| match &entry.kind {
        Some(Kind::KeyClaimed(claimed)) if claimed.device_id == device_id => {
            claimed.key.clone().filter(|key| key.algorithm == algorithm)
        }
        _ => None,
    })
}

/// Claims a key of one device; an entry for `group` tells of it, unless a fallback key is given again.
async fn claim(
    inner: &Inner,
    user_id: &str,
    device_id: &str,
    algorithm: &str,
    group: &mut Vec<UserEntry>,
) -> Result<Option<OneTimeKey>, ServiceError> {
    let reader = &inner.shared.reader;
    let Some(before) = reader.key_pool(user_id, device_id).await? else { return Ok(None) };
    let mut pool = before.clone();
    while let Some(claim) = pool::claim(&mut pool, algorithm) {
        let (key, fallback) = match claim {
            Claim::OneTime(position) => (reader.one_time_key(user_id, device_id, algorithm, position).await?, false),
            Claim::Fallback(key) => {
                let algorithm = algorithm.to_owned();
                (Some(OneTimeKey { algorithm, key_id: key.key_id, key: key.key, position: 0 }), true)
            }
        };
        let Some(key) = key else {
            tracing::error!(user_id, device_id, algorithm, "a one-time key is missing; the next one is given");
            continue;
        };
        if pool != before {
            let pool = Some(pool);
            let claimed = KeyClaimed { device_id: device_id.to_owned(), key: Some(key.clone()), fallback, pool };
            group.push(entries::entry(user_id, Kind::KeyClaimed(claimed)));
        }
        return Ok(Some(key));
    }
    Ok(None)
}
