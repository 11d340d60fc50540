//! Deletes devices (specification: Client-Server API, `DELETE /devices/{deviceId}`, `POST /delete_devices`).

use banyan_core::ServiceError;
use banyan_proto::userserver::{DeleteDevicesRequest, DeleteDevicesResponse};

use super::{command::Command, end_devices::end_devices};
use crate::host::Inner;

/// Ends the devices that are there. Whether the caller may was decided at the edge.
pub(crate) async fn delete_devices(inner: &Inner, request: DeleteDevicesRequest) -> Result<DeleteDevicesResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    let mut devices = inner.shared.reader.devices(&command.user_id).await?;
    devices.retain(|device_id, _| request.device_ids.contains(device_id));
    end_devices(inner, turn, &command.user_id, devices).await?;
    Ok(DeleteDevicesResponse {})
}
