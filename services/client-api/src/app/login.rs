//! Logging in with a password.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{LoginRequest, LoginResponse};

use super::{App, caller::Visitor};

/// What a client gives.
#[derive(Debug, Default)]
pub(crate) struct PasswordLogin {
    /// A user id or a localpart, as typed.
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) device_id: String,
    pub(crate) initial_device_display_name: String,
}

impl App {
    /// Checks a password and issues a token.
    ///
    /// # Errors
    /// M_FORBIDDEN for a wrong password and for a user that does not exist, M_USER_DEACTIVATED, M_LIMIT_EXCEEDED.
    pub(crate) async fn log_in(&self, visitor: &Visitor, login: PasswordLogin) -> Result<LoginResponse, ServiceError> {
        let tenant = &visitor.tenant;
        if !tenant.config().login.password {
            return Err(unknown_type());
        }
        let user_id = self.users.resolve_login(&login.user, visitor.server_name()).await?;
        let user_id = user_id.ok_or_else(|| ServiceError::forbidden("Invalid username or password"))?;
        self.limits.check_account(&user_id)?;
        let request = LoginRequest {
            caller: Some(visitor.about_user(&user_id)),
            password: login.password,
            device_id: login.device_id,
            initial_device_display_name: login.initial_device_display_name,
            remote_addr: visitor.address.to_string(),
        };
        let answer = self.commands.user(&user_id, request, |mut client, request| async move { client.login(request).await }).await;
        if answer.as_ref().is_err_and(|error| error.errcode.as_deref() == Some("M_FORBIDDEN")) {
            self.limits.note_failure(tenant.name(), &user_id);
        }
        answer
    }
}

/// 400 M_UNKNOWN: a login type that this server does not have.
pub(crate) fn unknown_type() -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "This way of logging in is not supported")
}
