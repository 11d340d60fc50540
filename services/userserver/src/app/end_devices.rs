//! What ends with a device: its tokens, its keys, what was signed of it, and the messages that wait for it.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::users::{Device, DeviceKeysRemoved, UserEntry, user_entry::Kind};

use super::{dehydrated_device::no_longer, entries, set_pusher, to_device_queue::discard_all};
use crate::{
    host::Inner,
    shard::{MAX_GROUP, Turn},
};

/// Empties the devices' queues, revokes their tokens and removes them with their keys; a user with very many has them removed in several groups.
pub(super) async fn end_devices(
    inner: &Inner,
    mut turn: Turn<'_>,
    user_id: &str,
    devices: BTreeMap<String, Device>,
) -> Result<(), ServiceError> {
    discard_all(inner, &mut turn, user_id, devices.keys()).await?;
    // At most as many as fit into one group beside a device.
    let mut group: Vec<UserEntry> = set_pusher::of_devices(inner, user_id, |device_id| devices.contains_key(device_id)).await?;
    let mut seen_by_others = false;
    for (device_id, device) in devices {
        let (ended, had_identity) = end_of_device(inner, user_id, &device_id, device).await?;
        group.extend(ended);
        seen_by_others |= had_identity;
        // The next one has four entries, and the list one.
        if group.len() + 5 > MAX_GROUP {
            commit(&mut turn, user_id, &mut group, &mut seen_by_others).await?;
        }
    }
    commit(&mut turn, user_id, &mut group, &mut seen_by_others).await
}

/// The entries that end a device, at most four, and whether others could see it.
pub(super) async fn end_of_device(
    inner: &Inner,
    user_id: &str,
    device_id: &str,
    device: Device,
) -> Result<(Vec<UserEntry>, bool), ServiceError> {
    let (keys, had_identity) = keys_removed(inner, user_id, device_id).await?;
    let revoked = entries::tokens_revoked(user_id, device.token_hashes, device.refresh_hashes);
    let gone = revoked.into_iter().chain([entries::device(user_id, device_id, None)]).chain(keys);
    Ok((gone.chain(no_longer(inner, user_id, device_id).await?).collect(), had_identity))
}

async fn commit(
    turn: &mut Turn<'_>,
    user_id: &str,
    group: &mut Vec<UserEntry>,
    seen_by_others: &mut bool,
) -> Result<(), ServiceError> {
    if std::mem::take(seen_by_others) {
        group.push(entries::device_list(user_id, false));
    }
    if group.is_empty() { Ok(()) } else { turn.commit(std::mem::take(group)).await }
}

/// The entry that removes a device's keys, if it has any, and whether others can see the device.
async fn keys_removed(inner: &Inner, user_id: &str, device_id: &str) -> Result<(Option<UserEntry>, bool), ServiceError> {
    let reader = &inner.shared.reader;
    let identity = reader.device_key(user_id, device_id).await?.is_some();
    let pool = reader.key_pool(user_id, device_id).await?;
    if !identity && pool.is_none() {
        return Ok((None, false));
    }
    let void_signatures = if identity { signatures_of(inner, user_id, device_id).await? } else { Vec::new() };
    let one_time = pool.map(|pool| pool.one_time).unwrap_or_default();
    let removed = DeviceKeysRemoved { device_id: device_id.to_owned(), one_time, void_signatures };
    Ok((Some(entries::entry(user_id, Kind::DeviceKeysRemoved(removed))), identity))
}

/// The ids of the user's keys that signed a device.
pub(super) async fn signatures_of(inner: &Inner, user_id: &str, device_id: &str) -> Result<Vec<String>, ServiceError> {
    let signatures = inner.shared.reader.key_signatures(user_id, user_id).await?;
    Ok(signatures.into_iter().filter(|signature| signature.target_key == device_id).map(|signature| signature.key_id).collect())
}
