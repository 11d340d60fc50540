//! Devices without a browser (specification: "Device authorisation flow"; RFC 8628).

use banyan_core::ServiceError;
use banyan_proto::users::{OauthClientRow, OauthGrant};
use banyan_users::oauth::{DeviceCodes, Polled};
use ruma::UserId;
use serde::Deserialize;

use super::{
    DEVICE_CODE, OauthError, base,
    scope::Scope,
    token::{Granted, invalid_grant, not_let_in, required},
};
use crate::app::{App, caller::Visitor};

/// The form of a device's first request.
#[derive(Default, Deserialize)]
pub(crate) struct DeviceRequest {
    client_id: Option<String>,
    scope: Option<String>,
}

impl App {
    /// A device asks to be let in: its two codes.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_client`, `unauthorized_client` (also where the tenant lets no devices in so), `invalid_scope`.
    pub(crate) async fn begin_device_grant(&self, visitor: &Visitor, request: DeviceRequest) -> Result<DeviceCodes, OauthError> {
        base(visitor)?;
        let client_id = required(request.client_id, "client_id is missing")?;
        let client = self.oauth_clients.find(visitor.server_name(), &client_id).await?;
        let client = client.ok_or_else(|| OauthError::refused("invalid_client", "The app is not known"))?;
        let allowed = visitor.tenant.config().oauth.device_grant && client.grant_types.iter().any(|grant| grant == DEVICE_CODE);
        if !allowed {
            return Err(OauthError::refused(
                "unauthorized_client",
                "The app did not register for this grant, or it is not offered",
            ));
        }
        let scope = Scope::parse(request.scope.as_deref().unwrap_or_default())?;
        let grant = OauthGrant {
            tenant: visitor.server_name().to_owned(),
            client_id,
            user_id: String::new(),
            device_id: scope.device_id,
            scope: scope.text,
        };
        Ok(self.oauth_devices.begin(grant).await?)
    }

    /// The app that waits under a code that somebody typed.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn waiting_device(&self, visitor: &Visitor, user_code: &str) -> Result<Option<OauthClientRow>, ServiceError> {
        let Some(grant) = self.oauth_devices.find(visitor.server_name(), user_code).await? else { return Ok(None) };
        self.oauth_clients.find(visitor.server_name(), &grant.client_id).await
    }

    /// Lets a device in as `user_id`, or turns it away. False: it does not wait any more.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn decide_device(
        &self,
        visitor: &Visitor,
        user_code: &str,
        user_id: Option<&UserId>,
    ) -> Result<bool, ServiceError> {
        if user_id.is_some()
            && let Some(grant) = self.oauth_devices.find(visitor.server_name(), user_code).await?
        {
            self.oauth_clients.keep(&grant.client_id).await?;
        }
        self.oauth_devices.decide(visitor.server_name(), user_code, user_id.map(UserId::as_str)).await
    }

    /// A device asks whether it was let in.
    ///
    /// # Errors
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`.
    pub(super) async fn device_grant(
        &self,
        visitor: &Visitor,
        client_id: &str,
        client: &OauthClientRow,
        device_code: Option<String>,
    ) -> Result<Granted, OauthError> {
        let device_code = required(device_code, "device_code is missing")?;
        let (grant, request_id) = match self.oauth_devices.poll(visitor.server_name(), client_id, &device_code).await? {
            Polled::Allowed { grant, request_id } => (grant, request_id),
            Polled::Pending => return Err(OauthError::refused("authorization_pending", "Nobody has decided yet")),
            Polled::SlowDown => return Err(OauthError::refused("slow_down", "Please wait longer between two requests")),
            Polled::Denied => return Err(OauthError::refused("access_denied", "The request was denied")),
            Polled::Expired => return Err(OauthError::refused("expired_token", "Nobody decided in time")),
            Polled::Unknown => return Err(invalid_grant("The device code is unknown or used")),
        };
        match self.let_in(visitor, &grant, request_id, client).await {
            Ok(session) => Ok(Granted { session, scope: Some(grant.scope) }),
            Err(error) => {
                self.oauth_devices.restore(&device_code).await?;
                Err(not_let_in(error))
            }
        }
    }
}
