//! A user's dehydrated device (MSC3814): one that nobody is logged in on, with keys, that messages wait for until somebody restores it.

use banyan_core::ServiceError;
use banyan_proto::{
    users::{DehydratedDevice, DehydratedDeviceChanged, Device, DeviceKeysUploaded, KeyPool, UserEntry, user_entry::Kind},
    userserver::{
        DeleteDehydratedDeviceRequest, DeleteDehydratedDeviceResponse, PutDehydratedDeviceRequest, PutDehydratedDeviceResponse,
    },
};
use banyan_users::keys::{
    pool,
    upload::{self, MAX_DEHYDRATED},
};

use super::{
    command::{Command, active_account},
    end_devices::{end_devices, end_of_device},
    entries,
    issue_token::Wanted,
    to_device_queue::discard_all,
    upload_keys,
};
use crate::host::Inner;

/// Puts it in place of the one before, which goes in the same group of entries.
pub(crate) async fn put_dehydrated_device(
    inner: &Inner,
    request: PutDehydratedDeviceRequest,
) -> Result<PutDehydratedDeviceResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller.clone())?;
    let (user_id, device_id) = (command.user_id.as_str(), request.device_id.as_str());
    let brought = entries_of(user_id, &request, inner.shared.clock.now().0)?;
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let is_put = |entry: &UserEntry| matches!(&entry.kind, Some(Kind::DehydratedDevice(changed)) if changed.device.is_some());
    if turn.earlier.iter().any(is_put) {
        return Ok(PutDehydratedDeviceResponse {});
    }
    active_account(inner, user_id).await?;
    let reader = &inner.shared.reader;
    let before = reader.dehydrated_device(user_id).await?.map(|before| before.device_id);
    if before.as_deref() != Some(device_id) && reader.device(user_id, device_id).await?.is_some() {
        return Err(ServiceError::invalid_param("Another device of yours has this id"));
    }
    let mut group = Vec::new();
    if let Some(before) = &before {
        discard_all(inner, &mut turn, user_id, [before].into_iter()).await?;
        let device = reader.device(user_id, before).await?.unwrap_or_default();
        group.extend(end_of_device(inner, user_id, before, device).await?.0);
    }
    group.extend(brought);
    turn.commit(group).await?;
    Ok(PutDehydratedDeviceResponse {})
}

/// Ends it.
pub(crate) async fn delete_dehydrated_device(
    inner: &Inner,
    request: DeleteDehydratedDeviceRequest,
) -> Result<DeleteDehydratedDeviceResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let gone = turn.earlier.iter().find_map(|entry| match &entry.kind {
        Some(Kind::Device(changed)) => Some(changed.device_id.clone()),
        _ => None,
    });
    if let Some(device_id) = gone {
        return Ok(DeleteDehydratedDeviceResponse { device_id });
    }
    let dehydrated = inner.shared.reader.dehydrated_device(user_id).await?;
    let device_id = dehydrated.ok_or_else(|| ServiceError::not_found("You have no dehydrated device"))?.device_id;
    let device = inner.shared.reader.device(user_id, &device_id).await?.unwrap_or_default();
    end_devices(inner, turn, user_id, [(device_id.clone(), device)].into()).await?;
    Ok(DeleteDehydratedDeviceResponse { device_id })
}

/// The entries that make it: all in one group, so that nobody sees a device without its keys.
fn entries_of(user_id: &str, request: &PutDehydratedDeviceRequest, now: i64) -> Result<Vec<UserEntry>, ServiceError> {
    let device_id = request.device_id.as_str();
    let display_name = request.display_name.clone();
    Wanted { device_id: device_id.to_owned(), display_name: display_name.clone(), ..Wanted::default() }.check()?;
    if device_id.is_empty() {
        return Err(ServiceError::invalid_param("A device has an id"));
    }
    if request.data.len() > MAX_DEHYDRATED {
        return Err(ServiceError::too_large("The data of a dehydrated device has at most 64 KiB"));
    }
    let identity = upload::device_keys(&request.device_keys, user_id, device_id)?;
    let (one_time, fallback) = (upload_keys::keys(&request.one_time_keys)?, upload_keys::keys(&request.fallback_keys)?);
    let mut pool = KeyPool::default();
    let new = pool::new_keys(&pool, &[], one_time)?;
    pool::set_fallback(&mut pool, fallback)?;
    let filled = pool::filled(device_id, pool, new);
    if filled.len() > upload_keys::GROUP {
        return Err(ServiceError::too_large("A dehydrated device has fewer one-time keys"));
    }
    let data = DehydratedDevice { device_id: device_id.to_owned(), data: request.data.clone() };
    let keys = DeviceKeysUploaded { device_id: device_id.to_owned(), keys: identity.into(), void_signatures: Vec::new() };
    let mut entries = vec![
        dehydrated(user_id, Some(data)),
        entries::device(user_id, device_id, Some(Device { display_name, created: now, ..Device::default() })),
        entries::entry(user_id, Kind::DeviceKeys(keys)),
    ];
    entries.extend(filled.into_iter().map(|filled| entries::entry(user_id, Kind::KeyPool(filled))));
    entries.push(entries::device_list(user_id, false));
    Ok(entries)
}

/// The user's dehydrated device from now on; `None`: there is none.
fn dehydrated(user_id: &str, device: Option<DehydratedDevice>) -> UserEntry {
    entries::entry(user_id, Kind::DehydratedDevice(DehydratedDeviceChanged { device }))
}

/// The entry that says that a device is not dehydrated any more, if it is.
pub(super) async fn no_longer(inner: &Inner, user_id: &str, device_id: &str) -> Result<Option<UserEntry>, ServiceError> {
    let device = inner.shared.reader.dehydrated_device(user_id).await?;
    Ok(device.filter(|device| device.device_id == device_id).map(|_| dehydrated(user_id, None)))
}
