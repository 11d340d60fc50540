//! Making accounts by a shared secret, as `/_synapse/admin/v1/register` does.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{LoginResponse, RegisterRequest, SetProfileRequest};
use banyan_users::{shared_secret::SignedRegistration, user_id};
use serde::Deserialize;
use serde_json::Value;

use super::{App, caller::Visitor};

/// The request's body.
#[derive(Debug, Deserialize)]
pub(crate) struct SecretRegistration {
    nonce: String,
    username: String,
    password: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    user_type: Option<String>,
    #[serde(default)]
    displayname: Option<String>,
    mac: String,
}

impl App {
    /// A nonce, good for one account.
    ///
    /// # Errors
    /// M_UNRECOGNIZED where the tenant has no shared secret.
    pub(crate) async fn registration_nonce(&self, visitor: &Visitor) -> Result<String, ServiceError> {
        secret_of(visitor)?;
        self.shared_secret.nonce(visitor.server_name()).await
    }

    /// Makes an account that the holder of the shared secret asks for.
    ///
    /// # Errors
    /// M_UNRECOGNIZED without a shared secret, M_UNKNOWN for a wrong nonce or HMAC, M_INVALID_USERNAME, M_USER_IN_USE.
    pub(crate) async fn register_by_secret(
        &self,
        visitor: &Visitor,
        body: SecretRegistration,
    ) -> Result<LoginResponse, ServiceError> {
        let secret = secret_of(visitor)?;
        let signed = SignedRegistration {
            nonce: &body.nonce,
            username: &body.username,
            password: &body.password,
            admin: body.admin,
            user_type: body.user_type.as_deref(),
            mac: &body.mac,
        };
        self.shared_secret.verify(visitor.server_name(), secret, signed).await?;
        let user_id = user_id::for_registration(&body.username, visitor.server_name())?;
        let request = RegisterRequest {
            caller: Some(visitor.about_user(&user_id)),
            password: body.password,
            admin: body.admin,
            remote_addr: visitor.address.to_string(),
            ..RegisterRequest::default()
        };
        let answer = self.register_at_owner(&user_id, request).await?;
        if let Some(name) = body.displayname {
            let value = Value::String(name).to_string().into_bytes().into();
            let mut caller = visitor.about_user(&user_id);
            // Another command than the registration.
            caller.request_id = visitor.step(1);
            let request = SetProfileRequest { caller: Some(caller), field: "displayname".to_owned(), value };
            self.commands.user(&user_id, request, |mut client, request| async move { client.set_profile(request).await }).await?;
        }
        Ok(answer)
    }
}

fn secret_of(visitor: &Visitor) -> Result<&str, ServiceError> {
    let missing = || ServiceError::matrix(ErrorCode::NotFound, "M_UNRECOGNIZED", "Unrecognized request");
    visitor.tenant.registration_shared_secret().ok_or_else(missing)
}
