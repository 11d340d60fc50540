//! Ending a session by one of its tokens (specification: "Token revocation"; RFC 7009).

use banyan_core::ServiceError;
use banyan_proto::userserver::LogoutRequest;
use banyan_users::{TokenHash, user_id};

use super::base;
use crate::{
    app::{App, caller::Visitor},
    calls::UserClient,
};

impl App {
    /// Ends the session of an access token or refresh token, whoever shows it. One that is unknown or over is no error.
    ///
    /// # Errors
    /// M_UNRECOGNIZED where the tenant has no OAuth 2.0 API; or what the owner answers.
    pub(crate) async fn revoke(&self, visitor: &Visitor, token: &str) -> Result<(), ServiceError> {
        base(visitor)?;
        let hash = TokenHash::of(token);
        let bytes = hash.as_bytes().to_vec().into();
        if let Some(row) = self.users.access_token(&hash).await? {
            return self.end_by(visitor, &row.user_id, LogoutRequest { token_hash: bytes, ..LogoutRequest::default() }).await;
        }
        if let Some(row) = self.users.refresh_token(&hash).await? {
            return self.end_by(visitor, &row.user_id, LogoutRequest { refresh_hash: bytes, ..LogoutRequest::default() }).await;
        }
        Ok(())
    }

    async fn end_by(&self, visitor: &Visitor, user: &str, request: LogoutRequest) -> Result<(), ServiceError> {
        if user_id::server_name(user) != Some(visitor.server_name()) {
            return Ok(());
        }
        let request = LogoutRequest { caller: Some(visitor.about_user(user)), ..request };
        let call = |mut client: UserClient, request| async move { client.logout(request).await };
        self.commands.user(user, request, call).await?;
        self.tokens.revoke_user(user);
        Ok(())
    }
}
