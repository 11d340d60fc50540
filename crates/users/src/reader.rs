//! The read side of users, for every role. Reads what the userserver's log entries became; decides nothing.

mod delayed_events;
mod key_backup;
mod keys;
mod names;
mod notifying;
mod pushers;
mod report;
mod threepid;
mod to_device;

use std::{collections::BTreeMap, sync::Arc};

use banyan_core::{ServiceError, ShardId};
use banyan_proto::users::{
    AccessToken, Account, AccountDataRow, Departure, Device, EventPlace, FilterRow, ProfileRow, RefreshToken, RegistrationTokenRow,
};
use banyan_store::{Key, KeyPart, Range, Row, Store, Table, key};
use bytes::Bytes;
use prost::Message;
use serde_json::Value;

pub use self::{
    key_backup::RoomKeys,
    names::{NamedUsers, ShownProfile},
    notifying::{IGNORED_USERS, Notifying},
    pushers::PusherKey,
    threepid::UserThreepid,
};
use crate::{
    ReadError, TokenHash,
    account_data::FULLY_READ,
    push_rules,
    tables::{ACCESS_TOKEN, ACCOUNT, ACCOUNT_DATA, DEPARTURE, DEVICE, FILTER, PROFILE, REFRESH_TOKEN, REGISTRATION_TOKEN},
    user_id,
};

/// Rows per read of a scan.
const PAGE: usize = 500;

/// Reads users. Cheap to clone.
#[derive(Clone)]
pub struct UserReader {
    store: Arc<dyn Store>,
}

impl std::fmt::Debug for UserReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserReader")
    }
}

/// A piece of account data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// The room it belongs to; `None`: global.
    pub room_id: Option<String>,
    /// Its type.
    pub kind: String,
    /// JSON object.
    pub content: Bytes,
    /// Sequence, in the user's shard log, of the entry that set it; 0 for what the server supplies by itself.
    pub seq: u64,
}

impl UserReader {
    /// Reads from `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// What an access token stands for; `None` if it was never valid or was revoked. Whether it expired is for the caller to judge by
    /// `expires` (microseconds; 0: never), for that is a soft logout.
    pub async fn access_token(&self, hash: &TokenHash) -> Result<Option<AccessToken>, ReadError> {
        self.get(&ACCESS_TOKEN, key![hash.as_bytes().as_slice()], key![]).await
    }

    /// What a refresh token stands for; `None` if it was never valid or has ended.
    pub async fn refresh_token(&self, hash: &TokenHash) -> Result<Option<RefreshToken>, ReadError> {
        self.get(&REFRESH_TOKEN, key![hash.as_bytes().as_slice()], key![]).await
    }

    /// The deactivated users of a user shard who have yet to leave rooms.
    pub async fn departures(&self, shard: ShardId) -> Result<BTreeMap<String, Departure>, ReadError> {
        let rows = self.scan(&DEPARTURE, key![i64::from(shard.0)], Range::all(PAGE)).await?;
        rows.into_iter().map(|row| Ok((text(&DEPARTURE, &row.clustering, 0)?, decode(&DEPARTURE, row.value)?))).collect()
    }

    /// An account, also a deactivated one; `None` if the name was never taken.
    pub async fn account(&self, user_id: &str) -> Result<Option<Account>, ReadError> {
        self.get(&ACCOUNT, key![user_id], key![]).await
    }

    /// The user id that `typed` (a user id or a localpart, as people type it) means at login. If nobody has it, still the id that
    /// it would be, so that the answer takes the same way; `None` if it can be nobody of this server.
    pub async fn resolve_login(&self, typed: &str, server_name: &str) -> Result<Option<String>, ReadError> {
        let mut candidates = user_id::for_login(typed, server_name);
        if candidates.len() > 1 && self.account(&candidates[0]).await?.is_some() {
            candidates.truncate(1);
        }
        Ok(candidates.pop())
    }

    /// A device.
    pub async fn device(&self, user_id: &str, device_id: &str) -> Result<Option<Device>, ReadError> {
        self.get(&DEVICE, key![user_id], key![device_id]).await
    }

    /// All devices of a user by id.
    pub async fn devices(&self, user_id: &str) -> Result<BTreeMap<String, Device>, ReadError> {
        let rows = self.scan(&DEVICE, key![user_id], Range::all(PAGE)).await?;
        rows.into_iter().map(|row| Ok((text(&DEVICE, &row.clustering, 0)?, decode(&DEVICE, row.value)?))).collect()
    }

    /// A profile field; `None` if it is not set.
    pub async fn profile_field(&self, user_id: &str, field: &str) -> Result<Option<Value>, ReadError> {
        let row: Option<ProfileRow> = self.get(&PROFILE, key![user_id], key![field]).await?;
        row.map(|row| json(&PROFILE, &row.value)).transpose()
    }

    /// All profile fields of a user.
    pub async fn profile(&self, user_id: &str) -> Result<BTreeMap<String, Value>, ReadError> {
        let rows = self.scan(&PROFILE, key![user_id], Range::all(PAGE)).await?;
        rows.into_iter()
            .map(|row| {
                let value: ProfileRow = decode(&PROFILE, row.value)?;
                Ok((text(&PROFILE, &row.clustering, 0)?, json(&PROFILE, &value.value)?))
            })
            .collect()
    }

    /// One piece of account data, global (`room_id` is `None`) or of a room. `m.push_rules` is always there and up to date.
    pub async fn account_data(
        &self,
        user_id: &str,
        room_id: Option<&str>,
        kind: &str,
    ) -> Result<Option<AccountData>, ServiceError> {
        let row: Option<AccountDataRow> = self.get(&ACCOUNT_DATA, key![user_id], key![room_id.unwrap_or_default(), kind]).await?;
        if room_id.is_none() && kind == push_rules::ACCOUNT_DATA_TYPE {
            return push_rules_data(user_id, row).map(Some);
        }
        let data = |row: AccountDataRow| AccountData {
            room_id: room_id.map(str::to_owned),
            kind: kind.to_owned(),
            content: row.content,
            seq: row.seq,
        };
        Ok(row.map(data))
    }

    /// Where the event of m.fully_read stands in a room; `None` if it is not set.
    pub async fn fully_read_place(&self, user_id: &str, room_id: &str) -> Result<Option<EventPlace>, ReadError> {
        let row: Option<AccountDataRow> = self.get(&ACCOUNT_DATA, key![user_id], key![room_id, FULLY_READ]).await?;
        Ok(row.and_then(|row| row.place))
    }

    /// The global account data of a user, by type. `m.push_rules` is always there and up to date.
    pub async fn global_account_data(&self, user_id: &str) -> Result<Vec<AccountData>, ServiceError> {
        let rows = self.scan(&ACCOUNT_DATA, key![user_id], Range::prefix(key![""], PAGE)).await?;
        with_push_rules(user_id, account_data_rows(rows)?)
    }

    /// The account data of a user for one room, by type.
    pub async fn room_account_data(&self, user_id: &str, room_id: &str) -> Result<Vec<AccountData>, ServiceError> {
        let rows = self.scan(&ACCOUNT_DATA, key![user_id], Range::prefix(key![room_id], PAGE)).await?;
        Ok(account_data_rows(rows)?)
    }

    /// All account data of a user: global first, then by room; by type within. `m.push_rules` is always there and up to date.
    pub async fn all_account_data(&self, user_id: &str) -> Result<Vec<AccountData>, ServiceError> {
        let rows = self.scan(&ACCOUNT_DATA, key![user_id], Range::all(PAGE)).await?;
        with_push_rules(user_id, account_data_rows(rows)?)
    }

    /// The push rules of a user, `{"global": {"override": [...], ...}}`: the user's own and the server's default ones.
    pub async fn push_rules(&self, user_id: &str) -> Result<Value, ServiceError> {
        let row = self.get(&ACCOUNT_DATA, key![user_id], key!["", push_rules::ACCOUNT_DATA_TYPE]).await?;
        push_rules_content(user_id, row.as_ref())
    }

    /// A stored filter's JSON.
    pub async fn filter(&self, user_id: &str, filter_id: &str) -> Result<Option<Bytes>, ReadError> {
        let row: Option<FilterRow> = self.get(&FILTER, key![user_id], key![filter_id]).await?;
        Ok(row.map(|row| row.filter))
    }

    /// The uses of a registration token so far; `None` if it was never used.
    pub async fn registration_token(&self, tenant: &str, token: &str) -> Result<Option<RegistrationTokenRow>, ReadError> {
        self.get(&REGISTRATION_TOKEN, key![tenant, token], key![]).await
    }

    async fn get<M: Message + Default>(
        &self,
        table: &'static Table,
        partition: Key,
        clustering: Key,
    ) -> Result<Option<M>, ReadError> {
        let row = self.store.get(table, &partition, &clustering).await?;
        row.map(|row| decode(table, row.value)).transpose()
    }

    async fn scan(&self, table: &'static Table, partition: Key, mut range: Range) -> Result<Vec<Row>, ReadError> {
        let mut rows = Vec::new();
        loop {
            let page = self.store.scan(table, &partition, range.clone()).await?;
            rows.extend(page.rows);
            match rows.last() {
                Some(last) if page.more => range = range.after(last.clustering.clone()),
                _ => return Ok(rows),
            }
        }
    }
}

fn decode<M: Message + Default>(table: &'static Table, value: Bytes) -> Result<M, ReadError> {
    M::decode(value).map_err(|e| ReadError::Corrupt { table: table.name, problem: e.to_string() })
}

fn json(table: &'static Table, value: &[u8]) -> Result<Value, ReadError> {
    serde_json::from_slice(value).map_err(|e| ReadError::Corrupt { table: table.name, problem: e.to_string() })
}

fn text(table: &'static Table, clustering: &Key, column: usize) -> Result<String, ReadError> {
    let part = clustering.get(column).and_then(KeyPart::as_text).map(str::to_owned);
    part.ok_or_else(|| ReadError::Corrupt { table: table.name, problem: "the key has another shape".to_owned() })
}

fn account_data_rows(rows: Vec<Row>) -> Result<Vec<AccountData>, ReadError> {
    rows.into_iter()
        .map(|row| {
            let value: AccountDataRow = decode(&ACCOUNT_DATA, row.value)?;
            let room_id = Some(text(&ACCOUNT_DATA, &row.clustering, 0)?).filter(|room_id| !room_id.is_empty());
            let kind = text(&ACCOUNT_DATA, &row.clustering, 1)?;
            Ok(AccountData { room_id, kind, content: value.content, seq: value.seq })
        })
        .collect()
}

fn with_push_rules(user_id: &str, mut data: Vec<AccountData>) -> Result<Vec<AccountData>, ServiceError> {
    let is_push_rules = |item: &AccountData| item.room_id.is_none() && item.kind == push_rules::ACCOUNT_DATA_TYPE;
    let stored = data.iter().position(is_push_rules).map(|at| data.remove(at));
    let stored = stored.map(|item| AccountDataRow { content: item.content, seq: item.seq, place: None });
    let at = data.partition_point(|item| item.room_id.is_none() && item.kind.as_str() < push_rules::ACCOUNT_DATA_TYPE);
    data.insert(at, push_rules_data(user_id, stored)?);
    Ok(data)
}

fn push_rules_data(user_id: &str, stored: Option<AccountDataRow>) -> Result<AccountData, ServiceError> {
    let content = push_rules_content(user_id, stored.as_ref())?;
    let kind = push_rules::ACCOUNT_DATA_TYPE.to_owned();
    Ok(AccountData { room_id: None, kind, content: content.to_string().into(), seq: stored.map_or(0, |row| row.seq) })
}

fn push_rules_content(user_id: &str, stored: Option<&AccountDataRow>) -> Result<Value, ServiceError> {
    match stored {
        Some(row) => push_rules::merged_content(user_id, &row.content),
        None => push_rules::default_content(user_id),
    }
}
