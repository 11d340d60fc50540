//! A device got its messages (specification: Client-Server API, "Send-to-Device messaging", server behaviour).

use banyan_core::ServiceError;
use banyan_proto::{
    users::ToDeviceQueue,
    userserver::{AcknowledgeToDeviceRequest, AcknowledgeToDeviceResponse},
};

use super::{command::Command, to_device_queue::take_off};
use crate::host::Inner;

/// Takes everything below the position off the queue of the caller's device. A lower position than before changes nothing, and none
/// reaches beyond what the log has: what comes later was never delivered.
pub(crate) async fn acknowledge_to_device(
    inner: &Inner,
    request: AcknowledgeToDeviceRequest,
) -> Result<AcknowledgeToDeviceResponse, ServiceError> {
    let device_id = request.caller.as_ref().map(|caller| caller.device_id.clone()).unwrap_or_default();
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    let upto = request.position.min(turn.applied().0);
    let row = inner.shared.reader.to_device_queue(&command.user_id, &device_id).await?;
    let mut queue = ToDeviceQueue { device_id, acknowledged: row.acknowledged, waiting: row.waiting };
    take_off(inner, &mut turn, &command.user_id, &mut queue, upto).await?;
    Ok(AcknowledgeToDeviceResponse {})
}
