//! Profiles.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::{ChangeMembershipRequest, Profile, change_membership_request::Action},
    userserver::SetProfileRequest,
};
use banyan_runtime::Stage;
use bytes::Bytes;
use ruma::UserId;
use serde_json::Value;
use tracing::Instrument as _;

use super::{App, Requester, auth::guest_access_forbidden};

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
        if IN_MEMBER_EVENTS.contains(&field) {
            let (app, requester) = (self.clone(), requester.clone());
            self.shutdown.spawn(
                Stage::Listeners,
                "profile to rooms",
                async move { app.spread_profile(&requester).await }.in_current_span(),
            );
        }
        Ok(())
    }

    /// Tells the caller's rooms of the profile as it is now, by a new member event in each.
    async fn spread_profile(&self, requester: &Requester) {
        let rooms = match self.rooms.joined_rooms(&requester.user_id).await {
            Ok(rooms) => rooms,
            Err(error) => return tracing::warn!(%error, "a changed profile does not reach its rooms"),
        };
        let profile = self.member_profile(requester.user_id.as_str()).await;
        for (n, room_id) in (1..).zip(rooms) {
            let request = ChangeMembershipRequest {
                // A command of its own for each room.
                caller: Some(requester.to_rooms_step(n)),
                room_id: room_id.to_string(),
                target: requester.user_id.to_string(),
                action: Action::Join.into(),
                profile: Some(profile.clone()),
                // Not empty: a join without content is done already for who is joined.
                content: Bytes::from_static(b"{}"),
                // Who leaves in the meantime stays out.
                renew: true,
                ..ChangeMembershipRequest::default()
            };
            if let Err(error) = self.change_membership_at_owner(request).await {
                tracing::info!(%room_id, %error, "a changed profile does not reach a room");
            }
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
