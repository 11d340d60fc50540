//! Names a device, or notes where it was seen (specification: Client-Server API, `PUT /devices/{deviceId}`).

use banyan_core::ServiceError;
use banyan_proto::userserver::{UpdateDeviceRequest, UpdateDeviceResponse};

use super::{command::Command, entries, issue_token::check_display_name};
use crate::host::Inner;

/// Changes what is given. Others see the name of a device with keys.
pub(crate) async fn update_device(inner: &Inner, request: UpdateDeviceRequest) -> Result<UpdateDeviceResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    check_display_name(request.display_name.as_deref().unwrap_or_default())?;
    let reader = &inner.shared.reader;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(UpdateDeviceResponse {});
    }
    let device = reader.device(user_id, &request.device_id).await?;
    let old = device.ok_or_else(|| ServiceError::not_found("There is no such device"))?;
    let mut device = old.clone();
    if let Some(display_name) = request.display_name {
        device.display_name = display_name;
    }
    if !request.seen_at.is_empty() {
        device.last_seen = inner.shared.clock.now().0;
        device.last_seen_ip = request.seen_at;
    }
    if device == old {
        return Ok(UpdateDeviceResponse {});
    }
    let renamed = device.display_name != old.display_name;
    let mut group = vec![entries::device(user_id, &request.device_id, Some(device))];
    if renamed && reader.device_key(user_id, &request.device_id).await?.is_some() {
        group.push(entries::device_list(user_id, false));
    }
    turn.commit(group).await?;
    Ok(UpdateDeviceResponse {})
}
