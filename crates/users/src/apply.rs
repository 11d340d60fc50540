//! Entries of user logs as rows.

use banyan_log::{Applier, DerivedRow, Entry};
use banyan_proto::users::{
    AccessTokenIssued, Account, AccountDataChanged, AccountDataRow, DeviceChanged, FilterRow, FilterStored, ProfileChanged,
    ProfileRow, RegistrationTokenUsed, UserEntry, user_entry::Kind,
};
use banyan_store::{Key, Table, Write, key};
use bytes::Bytes;
use prost::Message;

use crate::tables::{ACCESS_TOKEN, ACCOUNT, ACCOUNT_DATA, DEVICE, FILTER, PROFILE, REGISTRATION_TOKEN};

/// Turns entries of user logs into rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserApplier;

impl Applier for UserApplier {
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String> {
        let decoded = UserEntry::decode(entry.body.clone()).map_err(|e| format!("not a user entry: {e}"))?;
        let user_id = decoded.user_id.as_str();
        let seq = entry.seq.0;
        let kind = decoded.kind.ok_or("a user entry of a kind this version does not know")?;
        Ok(match kind {
            Kind::Account(account) => vec![put(&ACCOUNT, key![user_id], key![], &Account { seq, ..account })],
            Kind::Device(changed) => vec![device(user_id, changed, seq)],
            Kind::TokenIssued(issued) => vec![token(issued)?],
            Kind::TokensRevoked(revoked) => {
                revoked.token_hashes.into_iter().map(|hash| delete(&ACCESS_TOKEN, key![hash], key![])).collect()
            }
            Kind::Profile(changed) => vec![profile(user_id, changed, seq)],
            Kind::AccountData(changed) => vec![account_data(user_id, changed, seq)],
            Kind::Filter(stored) => vec![filter(user_id, stored)],
            Kind::RegistrationToken(used) => vec![registration_token(used)?],
            Kind::DeviceList(_) => Vec::new(),
        })
    }
}

fn device(user_id: &str, changed: DeviceChanged, seq: u64) -> DerivedRow {
    let clustering = key![changed.device_id];
    match changed.device {
        Some(mut device) => {
            device.seq = seq;
            put(&DEVICE, key![user_id], clustering, &device)
        }
        None => delete(&DEVICE, key![user_id], clustering),
    }
}

fn token(issued: AccessTokenIssued) -> Result<DerivedRow, String> {
    let token = issued.token.ok_or("an access token without a row")?;
    Ok(put(&ACCESS_TOKEN, key![issued.token_hash], key![], &token))
}

fn profile(user_id: &str, changed: ProfileChanged, seq: u64) -> DerivedRow {
    let clustering = key![changed.field];
    if changed.value.is_empty() {
        return delete(&PROFILE, key![user_id], clustering);
    }
    put(&PROFILE, key![user_id], clustering, &ProfileRow { value: changed.value, seq })
}

fn account_data(user_id: &str, changed: AccountDataChanged, seq: u64) -> DerivedRow {
    let clustering = key![changed.room_id, changed.r#type];
    if changed.content.is_empty() {
        return delete(&ACCOUNT_DATA, key![user_id], clustering);
    }
    put(&ACCOUNT_DATA, key![user_id], clustering, &AccountDataRow { content: changed.content, seq })
}

fn filter(user_id: &str, stored: FilterStored) -> DerivedRow {
    put(&FILTER, key![user_id], key![stored.filter_id], &FilterRow { filter: stored.filter })
}

fn registration_token(used: RegistrationTokenUsed) -> Result<DerivedRow, String> {
    let row = used.row.ok_or("a registration token without a row")?;
    Ok(put(&REGISTRATION_TOKEN, key![used.tenant, used.token], key![], &row))
}

fn put(table: &'static Table, partition: Key, clustering: Key, value: &impl Message) -> DerivedRow {
    let value = Bytes::from(value.encode_to_vec());
    DerivedRow { table, partition, write: Write::Put { clustering, value, ttl: None } }
}

fn delete(table: &'static Table, partition: Key, clustering: Key) -> DerivedRow {
    DerivedRow { table, partition, write: Write::Delete { clustering } }
}
