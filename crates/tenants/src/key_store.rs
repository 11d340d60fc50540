//! Signing keys in the store: made once for all replicas, and remembered after they stopped signing.

use banyan_core::{Clock, Entropy, TimestampMicros};
use banyan_proto::tenants::TenantKeyRow;
use banyan_store::{Cas, Store, StoreError, key};
use bytes::Bytes;
use prost::Message;
use zeroize::Zeroizing;

use crate::{OldVerifyKey, ServerKey, tables::TENANT_KEY};

/// How often generations are read before something is taken to be wrong with the table.
const MAX_GENERATIONS: i64 = 1000;

/// How often an insert of unknown outcome is tried.
const INSERTS: usize = 4;

/// The key that signs for a tenant, and those that did.
pub(crate) struct Keys {
    pub(crate) current: ServerKey,
    pub(crate) old: Vec<OldVerifyKey>,
}

/// The tenant's keys. `configured` (from a file) signs if there is one, else the newest stored key, else a new one that is stored unless
/// another replica was faster: then that one.
pub(crate) async fn load(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    server_name: &str,
    configured: Option<ServerKey>,
) -> Result<Keys, StoreError> {
    let partition = key![server_name];
    let mut rows: Vec<TenantKeyRow> = Vec::new();
    let mut candidate = configured;
    let from_file = candidate.is_some();
    for generation in 1..=MAX_GENERATIONS {
        let row = match store.get_serial(&TENANT_KEY, &partition, &key![generation]).await? {
            Some(row) => row,
            None => {
                if let Some(keys) = settle(&rows, &mut candidate, from_file)? {
                    return Ok(keys);
                }
                let made = candidate.get_or_insert_with(|| ServerKey::generate(entropy));
                let row = encode(made, from_file, clock.now());
                insert(store, server_name, generation, row).await?
            }
        };
        rows.push(decode(&row)?);
    }
    Err(StoreError::Corrupt(format!("table tenant_key: more than {MAX_GENERATIONS} keys of {server_name}")))
}

/// The keys, if the newest row is the key that is to sign.
fn settle(rows: &[TenantKeyRow], candidate: &mut Option<ServerKey>, from_file: bool) -> Result<Option<Keys>, StoreError> {
    let Some(newest) = rows.last() else { return Ok(None) };
    let current = match candidate.take() {
        Some(key) if key.public().as_slice() == newest.public_key.as_ref() && key.id() == newest.key_id => key,
        Some(key) if from_file => {
            *candidate = Some(key);
            return Ok(None);
        }
        // The newest key was in a file that is configured no longer: a new one takes over.
        _ if newest.secret.is_empty() => {
            tracing::warn!(key = newest.key_id, "signing_key_file is no longer set: a new signing key is made");
            return Ok(None);
        }
        _ => stored_key(newest)?,
    };
    let old = old_keys(rows, &current)?;
    Ok(Some(Keys { current, old }))
}

/// Inserts a row; answers what is there then: ours or that of a replica that was faster. Tried again where the outcome is unknown.
async fn insert(store: &dyn Store, server_name: &str, generation: i64, row: Bytes) -> Result<Bytes, StoreError> {
    let mut unknown = StoreError::Unavailable("the signing key could not be stored".to_owned());
    for _ in 0..INSERTS {
        match store.insert(&TENANT_KEY, &key![server_name], &key![generation], row.clone(), None).await {
            Ok(Cas::Applied) => return Ok(row),
            Ok(Cas::Refused(Some(there))) => return Ok(there),
            Ok(Cas::Refused(None)) => {}
            Err(error @ StoreError::Unknown(_)) => unknown = error,
            Err(error) => return Err(error),
        }
    }
    Err(unknown)
}

fn encode(key: &ServerKey, from_file: bool, now: TimestampMicros) -> Bytes {
    let secret = if from_file { Bytes::new() } else { Bytes::copy_from_slice(key.secret()) };
    let public_key = Bytes::copy_from_slice(key.public());
    TenantKeyRow { key_id: key.id(), public_key, secret, created: now.0 }.encode_to_vec().into()
}

fn decode(row: &Bytes) -> Result<TenantKeyRow, StoreError> {
    TenantKeyRow::decode(row.clone()).map_err(|e| corrupt(&e.to_string()))
}

fn stored_key(row: &TenantKeyRow) -> Result<ServerKey, StoreError> {
    let name = row.key_id.strip_prefix("ed25519:").ok_or_else(|| corrupt("a key that is not ed25519"))?;
    let secret = Zeroizing::new(<[u8; 32]>::try_from(row.secret.as_ref()).map_err(|_| corrupt("a secret that is not 32 bytes"))?);
    ServerKey::new(name, secret).map_err(|e| corrupt(&e))
}

fn old_keys(rows: &[TenantKeyRow], current: &ServerKey) -> Result<Vec<OldVerifyKey>, StoreError> {
    let current = current.id();
    rows.windows(2)
        .filter(|pair| pair[0].key_id != current)
        .map(|pair| {
            let public =
                <[u8; 32]>::try_from(pair[0].public_key.as_ref()).map_err(|_| corrupt("a public key that is not 32 bytes"))?;
            Ok(OldVerifyKey { id: pair[0].key_id.clone(), public, expired: TimestampMicros(pair[1].created) })
        })
        .collect()
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("table tenant_key: {what}"))
}
