//! What people do with their account on the pages of this server (specification: "Account management").

use banyan_core::ServiceError;
use banyan_proto::userserver::DeleteDevicesRequest;
use url::form_urlencoded;

use super::sign_in::SignedIn;
use crate::{
    app::{App, caller::Visitor},
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

/// Where somebody approves that the request of a session of user-interactive authentication replaces their cross-signing keys.
pub(crate) fn reset_address(base: &str, session: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("action", RESET).append_pair("session", session);
    format!("{base}/oauth2/account?{}", query.finish())
}

impl App {
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
