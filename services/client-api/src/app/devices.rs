//! A user's devices.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    users::Device,
    userserver::{DeleteDevicesRequest, UpdateDeviceRequest},
};
use serde_json::{Map, Value, json};

use super::{
    App, Requester,
    uia::{Proof, Uia},
};
use crate::calls::UserClient;

/// Devices that one request deletes at most.
const MAX_DELETED: usize = 1_000;

impl App {
    /// The caller's devices by id.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn devices(&self, requester: &Requester) -> Result<BTreeMap<String, Device>, ServiceError> {
        Ok(self.users.devices(requester.user_id.as_str()).await?)
    }

    /// A device of the caller.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn device(&self, requester: &Requester, device_id: &str) -> Result<Device, ServiceError> {
        let device = self.users.device(requester.user_id.as_str(), device_id).await?;
        device.ok_or_else(|| ServiceError::not_found("You have no such device"))
    }

    /// Names a device of the caller; `None` leaves it as it is.
    ///
    /// # Errors
    /// M_NOT_FOUND, M_INVALID_PARAM for a name that is too long.
    pub(crate) async fn rename_device(
        &self,
        requester: &Requester,
        device_id: &str,
        display_name: Option<String>,
    ) -> Result<(), ServiceError> {
        let (caller, seen_at) = (Some(requester.to_users()), String::new());
        let request = UpdateDeviceRequest { caller, device_id: device_id.to_owned(), display_name, seen_at };
        let call = |mut client: UserClient, request| async move { client.update_device(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(drop)
    }

    /// Ends devices of the caller once they have confirmed it. Those that are gone are no error.
    ///
    /// # Errors
    /// M_INVALID_PARAM for too many at once; or what the owner answers.
    pub(crate) async fn delete_devices(
        &self,
        requester: &Requester,
        endpoint: &'static str,
        device_ids: Vec<String>,
        body: &Map<String, Value>,
    ) -> Result<Uia<()>, ServiceError> {
        if device_ids.len() > MAX_DELETED {
            return Err(ServiceError::invalid_param("At most 1000 devices are deleted at once"));
        }
        // Whichever devices were confirmed are those that go, also where the URL names them.
        let mut asked = body.clone();
        asked.insert("devices".to_owned(), json!(device_ids));
        self.confirmed(requester, endpoint, &asked, |proof: Proof| async move {
            let mut caller = requester.to_users();
            caller.request_id = proof.request_id.to_bytes().to_vec().into();
            let request = DeleteDevicesRequest { caller: Some(caller), device_ids };
            let call = |mut client: UserClient, request| async move { client.delete_devices(request).await };
            self.commands.user(requester.user_id.as_str(), request, call).await?;
            self.tokens.revoke_user(requester.user_id.as_str());
            Ok(())
        })
        .await
    }
}
