//! Refreshing access tokens.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::RefreshToken,
    userserver::{ConfirmTokenRequest, LoginResponse, RefreshRequest},
};
use banyan_users::{TokenHash, user_id};

use super::{App, caller::Visitor};

impl App {
    /// New tokens for a refresh token, which the app has that `oauth_client` names; empty: a session of the legacy API. Neither API
    /// refreshes tokens of the other.
    ///
    /// # Errors
    /// M_UNKNOWN_TOKEN (a soft logout) for one that is unknown or ended, M_USER_LOCKED.
    pub(crate) async fn refresh(
        &self,
        visitor: &Visitor,
        refresh_token: &str,
        oauth_client: &str,
    ) -> Result<LoginResponse, ServiceError> {
        let hash = TokenHash::of(refresh_token);
        let token = self.users.refresh_token(&hash).await?;
        let theirs = |token: &RefreshToken| {
            user_id::server_name(&token.user_id) == Some(visitor.server_name()) && token.oauth_client == oauth_client
        };
        let token = token.filter(theirs).ok_or_else(unknown)?;
        let token_hash = hash.as_bytes().to_vec().into();
        let request = RefreshRequest { caller: Some(visitor.about_user(&token.user_id)), token_hash };
        let call = |mut client: crate::calls::UserClient, request| async move { client.refresh(request).await };
        self.commands.user(&token.user_id, request, call).await
    }

    /// Tells the owner that a token which a refresh gave is used: what came before it ends.
    pub(super) async fn confirm_token(&self, visitor: &Visitor, user_id: &str, hash: TokenHash) -> Result<(), ServiceError> {
        // Not the id of what the request itself is going to do.
        let mut caller = visitor.about_user(user_id);
        caller.request_id = visitor.step(CONFIRM);
        let request = ConfirmTokenRequest { caller: Some(caller), token_hash: hash.as_bytes().to_vec().into() };
        let call = |mut client: crate::calls::UserClient, request| async move { client.confirm_token(request).await };
        self.commands.user(user_id, request, call).await.map(|_| ())
    }
}

/// The step of a request that confirms its token; no use case has as many steps.
const CONFIRM: u64 = 1 << 32;

fn unknown() -> ServiceError {
    let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNKNOWN_TOKEN", "The refresh token is unknown or was used");
    error.with_extra(r#"{"soft_logout":true}"#.to_owned())
}
