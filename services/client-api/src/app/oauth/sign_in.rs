//! Signing in on the pages of this server.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{users::Account, userserver::CheckPasswordRequest};
use banyan_users::TokenHash;
use ruma::OwnedUserId;

use crate::app::{App, Requester, auth::locked, caller::Visitor};

/// Who is signed in in a browser.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) user_id: OwnedUserId,
    /// Their account has a password.
    pub(crate) has_password: bool,
    pub(crate) suspended: bool,
}

impl SignedIn {
    /// Somebody who asks without a device.
    pub(crate) fn requester(&self, visitor: &Visitor) -> Requester {
        Requester {
            visitor: visitor.clone(),
            user_id: self.user_id.clone(),
            device_id: String::new(),
            guest: false,
            suspended: self.suspended,
            oauth: false,
            token: TokenHash::of(""),
        }
    }
}

impl App {
    /// Who is signed in with a browser's cookie: nobody whose account was locked or deactivated, or got another password, meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn signed_in(&self, visitor: &Visitor, cookie: &str) -> Result<Option<SignedIn>, ServiceError> {
        let Some(session) = self.browser_sessions.find(visitor.server_name(), cookie).await? else { return Ok(None) };
        let account = self.users.account(&session.user_id).await?.filter(|account| session.fits(account));
        let Some(account) = account else { return Ok(None) };
        let user_id = OwnedUserId::try_from(session.user_id.as_str())
            .map_err(|error| ServiceError::internal(format!("the user of a browser session: {error}")))?;
        Ok(Some(SignedIn { user_id, has_password: !account.password_hash.is_empty(), suspended: account.suspended }))
    }

    /// Signs in by password: the browser's new cookie. `user` is a user id or a localpart, as typed.
    ///
    /// # Errors
    /// M_FORBIDDEN for a wrong password and for a user that does not exist, M_USER_DEACTIVATED, M_USER_LOCKED, M_LIMIT_EXCEEDED.
    pub(crate) async fn sign_in(&self, visitor: &Visitor, user: &str, password: String) -> Result<String, ServiceError> {
        let wrong = || ServiceError::forbidden("Invalid username or password");
        if !visitor.tenant.config().login.password {
            return Err(wrong());
        }
        let user_id = self.users.resolve_login(user, visitor.server_name()).await?.ok_or_else(wrong)?;
        self.check_password(visitor, &user_id, password).await?;
        let account = self.users.account(&user_id).await?.ok_or_else(wrong)?;
        self.begin_browser_session(visitor, &user_id, &account).await
    }

    /// A browser session of somebody who proved who they are.
    ///
    /// # Errors
    /// M_USER_DEACTIVATED, M_USER_LOCKED.
    pub(crate) async fn begin_browser_session(
        &self,
        visitor: &Visitor,
        user_id: &str,
        account: &Account,
    ) -> Result<String, ServiceError> {
        if account.deactivated {
            return Err(ServiceError::matrix(ErrorCode::Forbidden, "M_USER_DEACTIVATED", "This account has been deactivated"));
        }
        if account.locked {
            return Err(locked());
        }
        self.browser_sessions.begin(visitor.server_name(), user_id, account).await
    }

    /// Checks a password, under the limit of wrong ones.
    ///
    /// # Errors
    /// M_FORBIDDEN, M_USER_DEACTIVATED, M_LIMIT_EXCEEDED.
    pub(crate) async fn check_password(&self, visitor: &Visitor, user_id: &str, password: String) -> Result<(), ServiceError> {
        let request = CheckPasswordRequest { caller: Some(visitor.about_user(user_id)), password };
        let call = |mut client: crate::calls::UserClient, request| async move { client.check_password(request).await };
        self.commands.user(user_id, request, call).await.map(drop)
    }
}
