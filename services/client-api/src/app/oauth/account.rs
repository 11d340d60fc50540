//! What people do with their account on the pages of this server (specification: "Account management").

use banyan_core::ServiceError;
use banyan_proto::userserver::DeleteDevicesRequest;
use url::form_urlencoded;

use super::{create::long_enough, sign_in::SignedIn};
use crate::{
    app::{App, caller::Visitor, password::PasswordChange},
    calls::UserClient,
};

/// Actions that apps may link to.
pub(crate) const ACTIONS: [&str; 6] = [PROFILE, DEVICES, DEVICE_VIEW, DEVICE_DELETE, DEACTIVATE, RESET];
/// To see and edit the profile.
pub(crate) const PROFILE: &str = "org.matrix.profile";
/// To see the devices.
pub(crate) const DEVICES: &str = "org.matrix.devices_list";
/// To see one of them.
pub(crate) const DEVICE_VIEW: &str = "org.matrix.device_view";
/// To sign one of them out.
pub(crate) const DEVICE_DELETE: &str = "org.matrix.device_delete";
/// To end the account.
pub(crate) const DEACTIVATE: &str = "org.matrix.account_deactivate";
/// To let an app replace the cross-signing keys.
pub(crate) const RESET: &str = "org.matrix.cross_signing_reset";
/// To change the password; no app links to it.
pub(crate) const PASSWORD: &str = "password";
/// To confirm a request of an app of the legacy API.
pub(crate) const CONFIRM: &str = "confirm";

/// A change of a password.
pub(crate) struct NewPassword {
    pub(crate) old: String,
    pub(crate) new: String,
    /// All devices are signed out.
    pub(crate) sign_out: bool,
}

/// Where somebody approves that the request of a session of user-interactive authentication replaces their cross-signing keys.
pub(crate) fn reset_address(base: &str, session: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("action", RESET).append_pair("session", session);
    format!("{base}/oauth2/account?{}", query.finish())
}

/// Where somebody confirms what a session of user-interactive authentication stands for.
pub(crate) fn confirm_address(base: &str, session: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("action", CONFIRM).append_pair("session", session);
    format!("{base}/oauth2/account?{}", query.finish())
}

impl App {
    /// Whether somebody has a password that they sign in with.
    pub(crate) fn has_changeable_password(&self, visitor: &Visitor, signed_in: &SignedIn) -> bool {
        signed_in.has_password && visitor.tenant.config().login.password
    }

    /// Changes the password of somebody who knows the old one: their browser's new cookie. Other browsers are signed out.
    ///
    /// # Errors
    /// M_FORBIDDEN for a wrong one, or where there is none; M_WEAK_PASSWORD, M_INVALID_PARAM, M_LIMIT_EXCEEDED.
    pub(crate) async fn change_password_on_page(
        &self,
        visitor: &Visitor,
        signed_in: &SignedIn,
        wish: NewPassword,
    ) -> Result<String, ServiceError> {
        if !self.has_changeable_password(visitor, signed_in) {
            return Err(ServiceError::forbidden("Your account has no password here"));
        }
        long_enough(&wish.new)?;
        let user_id = signed_in.user_id.as_str();
        self.check_password(visitor, user_id, wish.old).await?;
        let change = PasswordChange { new_password: wish.new, logout_devices: wish.sign_out };
        self.set_password(visitor.about_user(user_id), change).await?;
        let changed = || ServiceError::unavailable("The password was changed. Please sign in.");
        let account = self.users.account(user_id).await?.ok_or_else(changed)?;
        self.begin_browser_session(visitor, user_id, &account).await
    }

    /// Ends a device of somebody who is signed in. One that is gone is no error.
    ///
    /// # Errors
    /// What the owner answers.
    pub(crate) async fn end_device(&self, visitor: &Visitor, signed_in: &SignedIn, device_id: String) -> Result<(), ServiceError> {
        let user_id = signed_in.user_id.as_str();
        let request = DeleteDevicesRequest { caller: Some(visitor.about_user(user_id)), device_ids: vec![device_id] };
        let call = |mut client: UserClient, request| async move { client.delete_devices(request).await };
        self.commands.user(user_id, request, call).await?;
        self.tokens.revoke_user(user_id);
        Ok(())
    }

    /// Has somebody who is signed in prove again who they are, before what cannot be taken back. Whoever has no password proved it
    /// elsewhere when they signed in.
    ///
    /// # Errors
    /// M_FORBIDDEN, M_LIMIT_EXCEEDED.
    pub(crate) async fn prove_again(&self, visitor: &Visitor, signed_in: &SignedIn, password: String) -> Result<(), ServiceError> {
        if !signed_in.has_password {
            return Ok(());
        }
        self.check_password(visitor, signed_in.user_id.as_str(), password).await
    }
}
