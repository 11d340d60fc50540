//! Changing a password.

use banyan_core::ServiceError;
use banyan_proto::{
    users::account::Kind,
    userserver::{Caller, ChangePasswordRequest},
};
use banyan_users::{threepid, validation::Purpose};
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    App, Requester,
    caller::Visitor,
    email::not_found,
    uia::{Asked, PASSWORD, Uia, address_of, stage, validation_of},
};

/// What a client asks for.
#[derive(Deserialize)]
pub(crate) struct PasswordChange {
    pub(crate) new_password: String,
    #[serde(default = "yes")]
    pub(crate) logout_devices: bool,
}

const fn yes() -> bool {
    true
}

fn wish(body: &Map<String, Value>) -> Result<PasswordChange, ServiceError> {
    PasswordChange::deserialize(Value::Object(body.clone())).map_err(|error| ServiceError::bad_json(error.to_string()))
}

impl App {
    /// Sets the caller's password once they have confirmed it with the old one. The caller's own session stays.
    ///
    /// # Errors
    /// M_BAD_JSON without a new password, M_WEAK_PASSWORD for an empty one, M_INVALID_PARAM for one that is too long.
    pub(crate) async fn change_password(&self, requester: &Requester, body: &Map<String, Value>) -> Result<Uia<()>, ServiceError> {
        // Clients ask for the flows with an empty body.
        if body.contains_key("auth") {
            wish(body)?;
        }
        self.confirmed(requester, PASSWORD, body, |proof| async move {
            let mut caller = requester.to_users();
            caller.request_id = proof.request_id.to_bytes().to_vec().into();
            self.set_password(caller, wish(body)?).await
        })
        .await
    }

    /// Sets the password of the account that has an address, for whoever proves the address. No session stays unless they say so.
    ///
    /// # Errors
    /// As [`App::change_password`]; M_THREEPID_NOT_FOUND if the address is nobody's by then.
    pub(crate) async fn reset_password_by_email(
        &self,
        visitor: &Visitor,
        body: &Map<String, Value>,
    ) -> Result<Uia<()>, ServiceError> {
        if body.contains_key("auth") {
            wish(body)?;
        }
        let asked = Asked { endpoint: PASSWORD, user_id: None, flows: vec![vec![stage::EMAIL]], body };
        self.authenticated(visitor, asked, |proof| async move {
            let wish = wish(body)?;
            let subject = proof.subject(stage::EMAIL).unwrap_or_default();
            let (sid, address) = (validation_of(subject).unwrap_or_default(), address_of(subject).unwrap_or_default());
            let owner = self.users.threepid_owner(visitor.server_name(), threepid::EMAIL, address).await?;
            let user_id = owner.ok_or_else(not_found)?;
            self.with_validation(visitor, Purpose::Reset, sid, &proof.session, |_| async move {
                let mut caller = visitor.about_user(&user_id);
                caller.request_id = proof.request_id.to_bytes().to_vec().into();
                self.set_password(caller, wish).await
            })
            .await
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

    pub(crate) async fn set_password(&self, caller: Caller, wish: PasswordChange) -> Result<(), ServiceError> {
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
