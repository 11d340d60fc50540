//! Dehydrated devices (MSC3814).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{DehydratedDevice, ToDeviceRow},
    userserver::{DeleteDehydratedDeviceRequest, PutDehydratedDeviceRequest},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{App, Requester, upload_keys::NewKeys};
use crate::calls::UserClient;

/// Messages of one page at most.
pub(crate) const PAGE: usize = 100;

/// A dehydrated device that is to be kept.
pub(crate) struct NewDehydrated {
    pub(crate) device_id: String,
    /// JSON object.
    pub(crate) data: Bytes,
    pub(crate) display_name: String,
    pub(crate) keys: NewKeys,
}

/// Messages that wait for a dehydrated device.
pub(crate) struct Page {
    pub(crate) events: Vec<Value>,
    /// The token behind them.
    pub(crate) next: String,
    /// Whether there are others behind them.
    pub(crate) more: bool,
}

impl App {
    /// Puts a dehydrated device in place of the caller's one before.
    ///
    /// # Errors
    /// M_INVALID_PARAM for the id of another device or keys of another one, M_BAD_JSON, M_TOO_LARGE.
    pub(crate) async fn put_dehydrated(&self, requester: &Requester, new: NewDehydrated) -> Result<(), ServiceError> {
        let NewDehydrated { device_id, data, display_name, keys } = new;
        let NewKeys { device_keys, one_time_keys, fallback_keys } = keys;
        let caller = Some(requester.to_users());
        let request =
            PutDehydratedDeviceRequest { caller, device_id, data, display_name, device_keys, one_time_keys, fallback_keys };
        let call = |mut client: UserClient, request| async move { client.put_dehydrated_device(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(drop)
    }

    /// The caller's dehydrated device.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn dehydrated(&self, requester: &Requester) -> Result<DehydratedDevice, ServiceError> {
        let device = self.users.dehydrated_device(requester.user_id.as_str()).await?;
        device.ok_or_else(|| ServiceError::not_found("You have no dehydrated device"))
    }

    /// Ends the caller's dehydrated device; answers its id.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn delete_dehydrated(&self, requester: &Requester) -> Result<String, ServiceError> {
        let request = DeleteDehydratedDeviceRequest { caller: Some(requester.to_users()) };
        let call = |mut client: UserClient, request| async move { client.delete_dehydrated_device(request).await };
        Ok(self.commands.user(requester.user_id.as_str(), request, call).await?.device_id)
    }

    /// Messages that wait for the caller's dehydrated device, from a token of an earlier page on. They stay until the device goes:
    /// whoever restores it may be interrupted.
    ///
    /// # Errors
    /// M_FORBIDDEN for any other device, M_INVALID_PARAM for a token that is none.
    pub(crate) async fn dehydrated_events(
        &self,
        requester: &Requester,
        device_id: &str,
        from: Option<&str>,
        limit: usize,
    ) -> Result<Page, ServiceError> {
        let user_id = requester.user_id.as_str();
        let from = from.map_or(Ok(0), position)?;
        let dehydrated = self.users.dehydrated_device(user_id).await?;
        if dehydrated.is_none_or(|device| device.device_id != device_id) {
            return Err(ServiceError::forbidden("This is not your dehydrated device"));
        }
        let limit = limit.clamp(1, PAGE);
        let from = from.max(self.users.to_device_queue(user_id, device_id).await?.acknowledged);
        let mut waiting = self.users.to_device(user_id, device_id, (from, u64::MAX), limit + 1).await?;
        let more = waiting.len() > limit;
        waiting.truncate(limit);
        let next = waiting.last().map_or(from, |(position, _)| position + 1);
        let events: Result<_, _> = waiting.iter().map(|(_, message)| event(message)).collect();
        Ok(Page { events: events?, next: format!("d{next}"), more })
    }
}

fn position(token: &str) -> Result<u64, ServiceError> {
    let position = token.strip_prefix('d').and_then(|position| position.parse().ok());
    position.ok_or_else(|| ServiceError::invalid_param("This is no token of this list"))
}

fn event(message: &ToDeviceRow) -> Result<Value, ServiceError> {
    let content: Value = serde_json::from_slice(&message.content).map_err(|error| ServiceError::internal(error.to_string()))?;
    Ok(json!({ "sender": message.sender, "type": message.r#type, "content": content }))
}
