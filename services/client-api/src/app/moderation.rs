//! What administrators see of accounts and do with them.

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Account, Device},
    userserver::{ModerateAccountRequest, moderate_account_request::Change},
};
use ruma::UserId;
use serde_json::{Map, Value, json};

use super::{App, Requester};

impl App {
    /// Whether the caller administrates this server.
    pub(crate) async fn is_admin(&self, requester: &Requester) -> Result<bool, ServiceError> {
        Ok(self.users.account(requester.user_id.as_str()).await?.is_some_and(|account| account.admin && !account.deactivated))
    }

    /// An account that an administrator asks about. Nobody else learns whether there is one.
    ///
    /// # Errors
    /// M_FORBIDDEN; M_INVALID_PARAM for a user of another server; M_NOT_FOUND, also for one that is deactivated.
    pub(crate) async fn administrated(&self, requester: &Requester, user_id: &UserId) -> Result<Account, ServiceError> {
        if !self.is_admin(requester).await? {
            return Err(ServiceError::forbidden("You are not a server administrator"));
        }
        if user_id.server_name() != requester.visitor.tenant.name() {
            return Err(ServiceError::invalid_param("User does not belong to the local server."));
        }
        let account = self.users.account(user_id.as_str()).await?.filter(|account| !account.deactivated);
        account.ok_or_else(|| ServiceError::not_found("User not found."))
    }

    /// [`App::administrated`], of whoever may be moderated.
    ///
    /// # Errors
    /// As there; M_FORBIDDEN also about other administrators.
    pub(crate) async fn moderated(&self, requester: &Requester, user_id: &UserId) -> Result<Account, ServiceError> {
        let account = self.administrated(requester, user_id).await?;
        if account.admin && requester.user_id != user_id {
            return Err(ServiceError::forbidden("The user is an administrator"));
        }
        Ok(account)
    }

    /// Locks or suspends an account, or lifts that.
    ///
    /// # Errors
    /// As [`App::moderated`]; M_FORBIDDEN for the caller's own account.
    pub(crate) async fn moderate(&self, requester: &Requester, user_id: &UserId, change: Change) -> Result<(), ServiceError> {
        self.moderated(requester, user_id).await?;
        if requester.user_id == user_id {
            return Err(ServiceError::forbidden("You cannot do this to your own account"));
        }
        let request = ModerateAccountRequest { caller: Some(requester.visitor.about_user(user_id.as_str())), change: Some(change) };
        let call = |mut client: crate::calls::UserClient, request| async move { client.moderate_account(request).await };
        self.commands.user(user_id.as_str(), request, call).await?;
        self.tokens.revoke_user(user_id.as_str());
        Ok(())
    }

    /// Where a user was seen last, for themselves and for administrators of their server.
    ///
    /// # Errors
    /// M_FORBIDDEN; M_NOT_FOUND, to administrators only.
    pub(crate) async fn whois(&self, requester: &Requester, user_id: &UserId) -> Result<Value, ServiceError> {
        if requester.user_id != user_id {
            if !self.is_admin(requester).await? || user_id.server_name() != requester.visitor.tenant.name() {
                return Err(ServiceError::forbidden("You may only ask about yourself"));
            }
            self.users.account(user_id.as_str()).await?.ok_or_else(|| ServiceError::not_found("User not found."))?;
        }
        let devices = self.users.devices(user_id.as_str()).await?;
        let devices: Map<String, Value> = devices.into_iter().map(|(id, device)| (id, seen(&device))).collect();
        Ok(json!({ "user_id": user_id, "devices": devices }))
    }
}

/// A device has one session, with its latest address.
fn seen(device: &Device) -> Value {
    json!({ "sessions": [{ "connections": [{ "ip": device.last_seen_ip, "last_seen": device.last_seen / 1000 }] }] })
}
