//! Profiles.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::{Profile, SpreadProfileRequest},
    userserver::SetProfileRequest,
};
use ruma::UserId;
use serde_json::Value;

use super::{App, Requester, auth::guest_access_forbidden};
use crate::calls::RoomClient;

/// The fields that member events repeat.
const IN_MEMBER_EVENTS: [&str; 2] = ["displayname", "avatar_url"];

impl App {
    /// All fields of a user's profile.
    ///
    /// # Errors
    /// M_NOT_FOUND for a user that does not exist.
    pub(crate) async fn profile(&self, user_id: &UserId) -> Result<BTreeMap<String, Value>, ServiceError> {
        let account = self.users.account(user_id.as_str()).await?;
        if account.is_none_or(|account| account.deactivated) {
            return Err(ServiceError::not_found("There is no such user"));
        }
        Ok(self.users.profile(user_id.as_str()).await?)
    }

    /// One field of a user's profile.
    ///
    /// # Errors
    /// M_NOT_FOUND for a user or a field that does not exist.
    pub(crate) async fn profile_field(&self, user_id: &UserId, field: &str) -> Result<Value, ServiceError> {
        self.profile(user_id).await?.remove(field).ok_or_else(|| ServiceError::not_found("This field is not set"))
    }

    /// Sets (`Some`) or removes a field of the caller's own profile. The caller's rooms hear of a new name or avatar a little later.
    ///
    /// # Errors
    /// M_FORBIDDEN for the profile of another, M_GUEST_ACCESS_FORBIDDEN for what guests may not change, and what the owner answers.
    pub(crate) async fn set_profile(
        &self,
        requester: &Requester,
        user_id: &UserId,
        field: &str,
        value: Option<Value>,
    ) -> Result<(), ServiceError> {
        requester.must_be(user_id)?;
        if requester.guest && field != "displayname" {
            return Err(guest_access_forbidden());
        }
        // `null` and the empty string are how clients take a name or an avatar away.
        let value = value.filter(|value| !IN_MEMBER_EVENTS.contains(&field) || !(value.is_null() || value.as_str() == Some("")));
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        let request =
            SetProfileRequest { caller: Some(requester.to_users()), field: field.to_owned(), value: value.into_bytes().into() };
        self.commands
            .user(user_id.as_str(), request, |mut client, request| async move { client.set_profile(request).await })
            .await?;
        Ok(())
    }

    /// Has a member event of the caller say what their profile says by now. A change while the event was under way may have missed it:
    /// the owner of the user tells the rooms that the user is in by then. Any other change reaches the room without this.
    pub(crate) async fn catch_up_profile(&self, requester: &Requester, room_id: &str, sent: &Profile) {
        if self.member_profile(requester.user_id.as_str()).await == *sent {
            return;
        }
        let request = SpreadProfileRequest { user_id: requester.user_id.to_string(), room_id: room_id.to_owned() };
        let call = |mut client: RoomClient, request| async move { client.spread_profile(request).await };
        if let Err(error) = self.commands.room(room_id, request, call).await {
            tracing::warn!(%room_id, %error, "a profile that changed meanwhile does not reach a room");
        }
    }

    /// The profile for a member event of a user; empty for one that is not ours or has none.
    pub(crate) async fn member_profile(&self, user_id: &str) -> Profile {
        let fields = match self.users.profile(user_id).await {
            Ok(fields) => fields,
            Err(error) => {
                tracing::warn!(%error, "a member event goes without a profile");
                BTreeMap::new()
            }
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Profile { displayname: text("displayname"), avatar_url: text("avatar_url") }
    }
}
