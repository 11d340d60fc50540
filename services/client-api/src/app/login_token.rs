//! Login tokens: a session lets another device log in.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{LoginRequest, LoginResponse};
use serde_json::{Map, Value, json};

use super::{
    App, Requester,
    caller::Visitor,
    login::{LoginWish, unknown_type},
    uia::Uia,
};

impl App {
    /// A token that lets another device log in as the caller, once they have confirmed that: the answer's body.
    ///
    /// # Errors
    /// M_FORBIDDEN where the tenant has no such logins.
    pub(crate) async fn login_token(&self, requester: &Requester, body: &Map<String, Value>) -> Result<Uia<Value>, ServiceError> {
        if !requester.visitor.tenant.config().login.token {
            return Err(ServiceError::forbidden("Logging in by a token is disabled"));
        }
        self.confirmed(requester, "POST /_matrix/client/v1/login/get_token", body, |_| async move {
            let token = self.login_tokens.issue(requester.visitor.server_name(), requester.user_id.as_str()).await?;
            let lifetime = u64::try_from(self.login_tokens.lifetime().as_millis()).unwrap_or(u64::MAX);
            Ok(json!({ "login_token": token, "expires_in_ms": lifetime }))
        })
        .await
    }

    /// Logs in by such a token, which is used up whatever comes of it.
    ///
    /// # Errors
    /// M_FORBIDDEN for one that is unknown, over or used; M_USER_DEACTIVATED, M_USER_LOCKED.
    pub(crate) async fn log_in_by_token(
        &self,
        visitor: &Visitor,
        token: &str,
        wish: LoginWish,
    ) -> Result<LoginResponse, ServiceError> {
        if !visitor.tenant.config().login.token {
            return Err(unknown_type());
        }
        let invalid = || ServiceError::matrix(ErrorCode::Forbidden, "M_FORBIDDEN", "Invalid login token");
        let user_id = self.login_tokens.take(visitor.server_name(), token).await?.ok_or_else(invalid)?;
        self.log_in_at_owner(&user_id, LoginRequest { proved: true, ..wish.request(visitor, &user_id) }).await
    }
}
