//! Entries of user logs as rows.

mod delayed_events;
mod key_backup;
mod keys;
pub(crate) mod names;
mod pusher;
mod report;
mod threepid;

use banyan_log::{Applier, DerivedRow, Entry};
use banyan_proto::users::{
    AccessTokenIssued, Account, AccountDataChanged, AccountDataRow, DepartureChanged, DeviceChanged, FilterRow, FilterStored,
    FullyReadMoved, ProfileChanged, ProfileRow, RefreshTokenIssued, RegistrationTokenUsed, ToDeviceDone, ToDeviceQueue,
    ToDeviceQueueRow, ToDeviceReceived, ToDeviceRow, UserEntry, user_entry::Kind,
};
use banyan_store::{Key, Table, Write, key};
use bytes::Bytes;
use prost::Message;

use crate::{
    account_data,
    tables::{
        ACCESS_TOKEN, ACCOUNT, ACCOUNT_DATA, DEPARTURE, DEVICE, FILTER, PROFILE, REFRESH_TOKEN, REGISTRATION_TOKEN, TO_DEVICE,
        TO_DEVICE_MESSAGE, TO_DEVICE_QUEUE,
    },
    to_device::REMEMBERED,
};

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
            Kind::Account(account) => {
                let mut rows = names::of_account(user_id, &account);
                rows.push(put(&ACCOUNT, key![user_id], key![], &Account { seq, ..account }));
                rows
            }
            Kind::Device(changed) => device(user_id, changed, seq),
            Kind::TokenIssued(issued) => vec![token(issued)?],
            Kind::TokensRevoked(revoked) => {
                let access = revoked.token_hashes.into_iter().map(|hash| delete(&ACCESS_TOKEN, key![hash], key![]));
                let refresh = revoked.refresh_hashes.into_iter().map(|hash| delete(&REFRESH_TOKEN, key![hash], key![]));
                access.chain(refresh).collect()
            }
            Kind::Profile(changed) => {
                let mut rows = names::of_profile(user_id, &changed);
                rows.push(profile(user_id, changed, seq));
                rows
            }
            Kind::AccountData(changed) => vec![account_datum(user_id, changed, seq)],
            Kind::Filter(stored) => vec![filter(user_id, stored)],
            Kind::RegistrationToken(used) => vec![registration_token(used)?],
            Kind::DeviceList(_) => Vec::new(),
            Kind::ToDeviceReceived(received) => to_device_received(user_id, received, entry.seq.0),
            Kind::ToDeviceDone(done) => to_device_done(user_id, done)?,
            Kind::RefreshIssued(issued) => vec![refresh_token(issued)?],
            Kind::Departure(changed) => vec![departure(entry, user_id, changed)],
            Kind::FullyRead(moved) => vec![fully_read(user_id, moved, seq)],
            Kind::DeviceKeys(uploaded) => keys::uploaded(user_id, uploaded, seq),
            Kind::KeyPool(filled) => keys::filled(user_id, filled)?,
            Kind::KeyClaimed(claimed) => keys::claimed(user_id, claimed)?,
            Kind::DeviceKeysRemoved(removed) => keys::removed(user_id, &removed),
            Kind::CrossSigningKey(changed) => vec![keys::cross_signing(user_id, changed, seq)],
            Kind::KeySignatures(added) => keys::signatures(user_id, added),
            Kind::KeyBackup(changed) => key_backup::changed(user_id, changed)?,
            Kind::Pusher(changed) => pusher::changed(user_id, changed, entry.timestamp),
            Kind::ReportMade(made) => report::made(made)?,
            Kind::ReportClosed(closed) => vec![report::closed(closed)?],
            Kind::RoomKeys(changed) => key_backup::keys(user_id, changed)?,
            Kind::Threepid(changed) => threepid::changed(changed),
            Kind::DehydratedDevice(changed) => vec![keys::dehydrated(user_id, changed)],
            Kind::DelayedEventScheduled(scheduled) => delayed_events::scheduled(entry, user_id, scheduled)?,
            Kind::DelayedEventChanged(changed) => delayed_events::changed(entry, user_id, changed)?,
            Kind::DelayedEventsForgotten(forgotten) => delayed_events::forgotten(entry, user_id, forgotten),
        })
    }
}

fn device(user_id: &str, changed: DeviceChanged, seq: u64) -> Vec<DerivedRow> {
    let clustering = key![changed.device_id.as_str()];
    match changed.device {
        Some(mut device) => {
            device.seq = seq;
            vec![put(&DEVICE, key![user_id], clustering, &device)]
        }
        // What waited for it is void, also for a device that takes its name.
        None => {
            let queue = ToDeviceQueue { device_id: changed.device_id, acknowledged: seq, waiting: 0 };
            vec![delete(&DEVICE, key![user_id], clustering), to_device_queue(user_id, queue)]
        }
    }
}

fn token(issued: AccessTokenIssued) -> Result<DerivedRow, String> {
    let token = issued.token.ok_or("an access token without a row")?;
    Ok(put(&ACCESS_TOKEN, key![issued.token_hash], key![], &token))
}

fn refresh_token(issued: RefreshTokenIssued) -> Result<DerivedRow, String> {
    let token = issued.token.ok_or("a refresh token without a row")?;
    Ok(put(&REFRESH_TOKEN, key![issued.token_hash], key![], &token))
}

fn departure(entry: &Entry, user_id: &str, changed: DepartureChanged) -> DerivedRow {
    let partition = key![i64::from(entry.log.shard.0)];
    match changed.departure {
        Some(departure) => put(&DEPARTURE, partition, key![user_id], &departure),
        None => delete(&DEPARTURE, partition, key![user_id]),
    }
}

fn profile(user_id: &str, changed: ProfileChanged, seq: u64) -> DerivedRow {
    let clustering = key![changed.field];
    if changed.value.is_empty() {
        return delete(&PROFILE, key![user_id], clustering);
    }
    put(&PROFILE, key![user_id], clustering, &ProfileRow { value: changed.value, seq })
}

fn account_datum(user_id: &str, changed: AccountDataChanged, seq: u64) -> DerivedRow {
    let clustering = key![changed.room_id, changed.r#type];
    if changed.content.is_empty() {
        return delete(&ACCOUNT_DATA, key![user_id], clustering);
    }
    put(&ACCOUNT_DATA, key![user_id], clustering, &AccountDataRow { content: changed.content, seq, place: None })
}

fn fully_read(user_id: &str, moved: FullyReadMoved, seq: u64) -> DerivedRow {
    let content = account_data::fully_read(&moved.event_id);
    let row = AccountDataRow { content, seq, place: moved.place };
    put(&ACCOUNT_DATA, key![user_id], key![moved.room_id, account_data::FULLY_READ], &row)
}

fn filter(user_id: &str, stored: FilterStored) -> DerivedRow {
    put(&FILTER, key![user_id], key![stored.filter_id], &FilterRow { filter: stored.filter })
}

fn registration_token(used: RegistrationTokenUsed) -> Result<DerivedRow, String> {
    let row = used.row.ok_or("a registration token without a row")?;
    Ok(put(&REGISTRATION_TOKEN, key![used.tenant, used.token], key![], &row))
}

fn to_device_received(user_id: &str, received: ToDeviceReceived, seq: u64) -> Vec<DerivedRow> {
    let ToDeviceReceived { sender, r#type, messages, queues, message_id } = received;
    let mut rows = Vec::new();
    for message in messages {
        let row = ToDeviceRow { sender: sender.clone(), r#type: r#type.clone(), content: message.content };
        rows.extend(message.device_ids.iter().map(|device| put(&TO_DEVICE, key![user_id, device.as_str()], position(seq), &row)));
    }
    rows.extend(queues.into_iter().map(|queue| to_device_queue(user_id, queue)));
    if !message_id.is_empty() {
        let write = Write::Put { clustering: key![], value: Bytes::new(), ttl: Some(REMEMBERED) };
        rows.push(DerivedRow { table: &TO_DEVICE_MESSAGE, partition: key![user_id, message_id], write });
    }
    rows
}

fn to_device_done(user_id: &str, done: ToDeviceDone) -> Result<Vec<DerivedRow>, String> {
    let queue = done.queue.ok_or("messages left a queue that is not named")?;
    let partition = key![user_id, queue.device_id.as_str()];
    let gone = done.positions.into_iter().map(|at| delete(&TO_DEVICE, partition.clone(), position(at)));
    let mut rows: Vec<DerivedRow> = gone.collect();
    rows.push(to_device_queue(user_id, queue));
    Ok(rows)
}

fn to_device_queue(user_id: &str, queue: ToDeviceQueue) -> DerivedRow {
    let row = ToDeviceQueueRow { acknowledged: queue.acknowledged, waiting: queue.waiting };
    put(&TO_DEVICE_QUEUE, key![user_id], key![queue.device_id], &row)
}

fn position(seq: u64) -> Key {
    key![i64::try_from(seq).unwrap_or(i64::MAX)]
}

fn put(table: &'static Table, partition: Key, clustering: Key, value: &impl Message) -> DerivedRow {
    let value = Bytes::from(value.encode_to_vec());
    DerivedRow { table, partition, write: Write::Put { clustering, value, ttl: None } }
}

fn delete(table: &'static Table, partition: Key, clustering: Key) -> DerivedRow {
    DerivedRow { table, partition, write: Write::Delete { clustering } }
}
