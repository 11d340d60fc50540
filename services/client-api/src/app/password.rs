//! Changing a password.

use banyan_core::ServiceError;
use banyan_proto::{
    users::account::Kind,
    userserver::{Caller, ChangePasswordRequest},
};
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{App, Requester, uia::Uia};

/// What a client asks for.
#[derive(Deserialize)]
pub(crate) struct PasswordChange {
    new_password: String,
    #[serde(default = "yes")]
    logout_devices: bool,
}

const fn yes() -> bool {
    true
}

impl App {
    /// Sets the caller's password once they have confirmed it with the old one. The caller's own session stays.
    ///
    /// # Errors
    /// M_BAD_JSON without a new password, M_WEAK_PASSWORD for an empty one, M_INVALID_PARAM for one that is too long.
    pub(crate) async fn change_password(&self, requester: &Requester, body: &Map<String, Value>) -> Result<Uia<()>, ServiceError> {
        let wish = || {
            let wish = PasswordChange::deserialize(Value::Object(body.clone()));
            wish.map_err(|error| ServiceError::bad_json(error.to_string()))
        };
        // Clients ask for the flows with an empty body.
        if body.contains_key("auth") {
            wish()?;
        }
        self.confirmed(requester, "POST /_matrix/client/v3/account/password", body, |proof| async move {
            let mut caller = requester.to_users();
            caller.request_id = proof.request_id.to_bytes().to_vec().into();
            self.set_password(caller, wish()?).await
        })
        .await
    }

    /// Sets anybody's password, for an administrator. Of their own sessions the caller's stays.
    ///
    /// # Errors
    /// As [`App::administrated`]; M_INVALID_PARAM for a guest, who has none; as [`App::change_password`].
    pub(crate) async fn reset_password(
        &self,
        requester: &Requester,
        user_id: &UserId,
        wish: PasswordChange,
    ) -> Result<(), ServiceError> {
        let account = self.administrated(requester, user_id).await?;
        if account.kind() == Kind::Guest {
            return Err(ServiceError::invalid_param("Guests have no password"));
        }
        let own = requester.user_id == user_id;
        self.set_password(if own { requester.to_users() } else { requester.visitor.about_user(user_id.as_str()) }, wish).await
    }

    async fn set_password(&self, caller: Caller, wish: PasswordChange) -> Result<(), ServiceError> {
        let user_id = caller.user_id.clone();
        let request =
            ChangePasswordRequest { caller: Some(caller), new_password: wish.new_password, logout_devices: wish.logout_devices };
        self.commands.user(&user_id, request, |mut client, request| async move { client.change_password(request).await }).await?;
        if wish.logout_devices {
            self.tokens.revoke_user(&user_id);
        }
        Ok(())
    }
}
