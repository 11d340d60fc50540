//! Ending sessions.

use banyan_core::ServiceError;
use banyan_proto::userserver::LogoutRequest;

use super::{App, Requester};

impl App {
    /// Ends the caller's session, or all of the caller's sessions. This process honours it at once, others when they hear of it.
    pub(crate) async fn log_out(&self, requester: &Requester, all: bool) -> Result<(), ServiceError> {
        let token_hash = requester.token.as_bytes().to_vec().into();
        let request = LogoutRequest { caller: Some(requester.to_users()), token_hash, all, ..LogoutRequest::default() };
        let name = requester.user_id.as_str();
        self.commands.user(name, request, |mut client, request| async move { client.logout(request).await }).await?;
        if all {
            self.tokens.revoke_user(name);
        } else {
            self.tokens.revoke(&requester.token);
        }
        Ok(())
    }
}
