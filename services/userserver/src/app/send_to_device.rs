//! Brings messages to devices (specification: Client-Server API, `PUT /sendToDevice/{eventType}/{txnId}`).

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use banyan_core::{RequestId, ServiceError};
use banyan_proto::{
    users::{ToDeviceQueue, ToDeviceReceived, user_entry::Kind},
    userserver::{SendToDeviceRequest, SendToDeviceResponse, ToDeviceRecipient},
};
use banyan_users::to_device;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    command::{Command, malformed},
    entries,
    to_device_queue::make_room,
};
use crate::host::Inner;

/// Recipients that are served at a time.
const PARALLEL: usize = 16;
/// Entries of one group: as many of the largest ones as a log takes at once.
const GROUP: usize = 9;

/// Brings each recipient of this shard their messages, unless the same transaction brought them before. An error may leave some served:
/// whoever asks again reaches the others and nobody twice.
pub(crate) async fn send_to_device(inner: &Inner, request: SendToDeviceRequest) -> Result<SendToDeviceResponse, ServiceError> {
    let command = Command::of_tenant(inner, request.caller)?;
    if request.message_id.len() != 16 {
        return Err(malformed("a message id has 16 bytes"));
    }
    check(&request.r#type, &request.recipients)?;
    let template = ToDeviceReceived {
        sender: command.user_id.clone(),
        r#type: request.r#type,
        message_id: request.message_id,
        ..ToDeviceReceived::default()
    };
    // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
    let served: Vec<_> = request.recipients.into_iter().map(|recipient| serve(inner, &command, &template, recipient)).collect();
    stream::iter(served).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
    Ok(SendToDeviceResponse {})
}

fn check(kind: &str, recipients: &[ToDeviceRecipient]) -> Result<(), ServiceError> {
    if kind.len() > to_device::MAX_TYPE {
        return Err(ServiceError::invalid_param("The type of a message has at most 255 bytes"));
    }
    let mut contents = recipients.iter().flat_map(|recipient| recipient.messages.values());
    if contents.any(|content| content.len() > to_device::MAX_CONTENT) {
        return Err(ServiceError::too_large("The content of a message to a device has at most 64 KiB"));
    }
    Ok(())
}

async fn serve(
    inner: &Inner,
    command: &Command,
    template: &ToDeviceReceived,
    recipient: ToDeviceRecipient,
) -> Result<(), ServiceError> {
    let ToDeviceRecipient { user_id, messages } = recipient;
    let reader = &inner.shared.reader;
    let shard = inner.shard_of(&user_id)?;
    let mut turn = shard.turn(&user_id, command.tenant_name(), command_of(command.request_id, &user_id)).await?;
    if reader.has_to_device_message(&user_id, &template.message_id).await? {
        return Ok(());
    }
    let devices = reader.devices(&user_id).await?;
    let messages: BTreeMap<String, Bytes> = messages.into_iter().collect();
    let resolved = to_device::resolve(&messages, devices.keys());
    if resolved.is_empty() {
        return Ok(());
    }
    let rows = reader.to_device_queues(&user_id).await?;
    let mut queues = BTreeMap::new();
    for device_id in resolved.iter().flat_map(|(_, devices)| devices) {
        let row = rows.get(device_id).copied().unwrap_or_default();
        let mut queue = ToDeviceQueue { device_id: device_id.clone(), acknowledged: row.acknowledged, waiting: row.waiting };
        make_room(inner, &mut turn, &user_id, &mut queue).await?;
        queues.insert(device_id.clone(), queue);
    }
    let unnamed = ToDeviceReceived { message_id: Bytes::new(), ..template.clone() };
    let mut received = to_device::entries(&unnamed, resolved, &queues);
    // Its last entry tells that the message came: what is repeated before that may be double, but never lacks.
    if let Some(last) = received.last_mut() {
        last.message_id = template.message_id.clone();
    }
    let mut groups = received.into_iter().map(|received| entries::entry(&user_id, Kind::ToDeviceReceived(received))).peekable();
    while groups.peek().is_some() {
        turn.commit(groups.by_ref().take(GROUP).collect()).await?;
    }
    Ok(())
}

/// Commands of one request about several users have ids of their own: else each would wait for the others.
fn command_of(request_id: RequestId, user_id: &str) -> RequestId {
    let mut hasher = DefaultHasher::new();
    user_id.hash(&mut hasher);
    RequestId(request_id.0 ^ u128::from(hasher.finish()))
}
