//! Making rooms: the first event decides the room's id, then the alias is claimed, then the room is made at once.

use std::{borrow::Cow, collections::HashMap};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::{CreateRoomRequest, PrepareRoomRequest, Profile};
use banyan_runtime::Stage;
use banyan_tenants::config::ROOM_VERSIONS;
use bytes::Bytes;
use ruma::{OwnedRoomAliasId, OwnedUserId, RoomAliasId, RoomId};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{App, Requester, third_party_invite::ThirdPartyInvite};
use crate::calls::RoomClient;

/// Invitations in one request at most.
const MAX_INVITES: usize = 100;
/// Those by third-party identifiers, each of which is asked for elsewhere.
const MAX_THIRD_PARTY: usize = 10;

/// The request's body, as far as it is looked at here; what is in it is checked whole before anything is done.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RoomWish {
    #[serde(default)]
    room_version: Option<String>,
    #[serde(default)]
    room_alias_name: Option<String>,
    #[serde(default)]
    creation_content: Option<Map<String, Value>>,
    #[serde(default)]
    invite: Vec<OwnedUserId>,
    #[serde(default)]
    invite_3pid: Vec<ThirdPartyInvite>,
    #[serde(default)]
    preset: Option<Preset>,
    #[serde(default, rename = "visibility")]
    _visibility: Option<Visibility>,
    #[serde(default, rename = "name")]
    _name: Option<String>,
    #[serde(default, rename = "topic")]
    _topic: Option<String>,
    #[serde(default, rename = "initial_state")]
    _initial_state: Vec<InitialState>,
    #[serde(default, rename = "is_direct")]
    _is_direct: Option<bool>,
    #[serde(default, rename = "power_level_content_override")]
    _power_levels: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the specification's names")]
enum Preset {
    PrivateChat,
    PublicChat,
    TrustedPrivateChat,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Visibility {
    Public,
    Private,
}

#[derive(Debug, Deserialize)]
struct InitialState {
    #[serde(rename = "type")]
    _type: String,
    #[serde(default, rename = "state_key")]
    _state_key: String,
    #[serde(rename = "content")]
    _content: Map<String, Value>,
}

impl App {
    /// Makes a room with everything `body` asks for and answers its id. Goes on to the end even if the client goes away: an alias
    /// without a room would stay behind.
    ///
    /// # Errors
    /// M_UNSUPPORTED_ROOM_VERSION, M_INVALID_PARAM for an alias that is none, M_ROOM_IN_USE, and what the owner of the room answers.
    pub(crate) async fn create_room(&self, requester: &Requester, wish: RoomWish, body: Bytes) -> Result<String, ServiceError> {
        let mut plan = self.plan(requester, wish)?;
        let (app, requester) = (self.clone(), requester.clone());
        let (answer, outcome) = oneshot::channel();
        let work = async move {
            let third_party = std::mem::take(&mut plan.third_party);
            let result = app.carry_out(&requester, plan, body).await;
            if let Ok(room_id) = &result {
                app.invite_third_parties(&requester, room_id, &third_party).await;
            }
            if let Err(result) = answer.send(result) {
                tracing::debug!(made = result.is_ok(), "a client went away while its room was made");
            }
        };
        self.shutdown.spawn(Stage::Listeners, "create room", work.in_current_span());
        outcome.await.map_err(|_| ServiceError::new(ErrorCode::Unknown, "the process ended while a room was made"))?
    }

    /// Checks what can be checked without asking anyone.
    fn plan(&self, requester: &Requester, wish: RoomWish) -> Result<Plan, ServiceError> {
        let tenant = &requester.visitor.tenant;
        let version = wish.room_version.unwrap_or_else(|| tenant.config().default_room_version.clone());
        if !ROOM_VERSIONS.contains(&version.as_str()) {
            let message = "This server cannot make rooms of this version";
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNSUPPORTED_ROOM_VERSION", message));
        }
        if wish.invite_3pid.len() > MAX_THIRD_PARTY {
            return Err(ServiceError::invalid_param(format!("At most {MAX_THIRD_PARTY} addresses can be invited at once")));
        }
        for invite in &wish.invite_3pid {
            invite.check(tenant)?;
        }
        if wish.invite.len() > MAX_INVITES {
            return Err(ServiceError::invalid_param(format!("At most {MAX_INVITES} users can be invited at once")));
        }
        let alias = wish.room_alias_name.as_deref().map(|name| alias_of(name, tenant.name().as_str())).transpose()?;
        let mut content = wish.creation_content.unwrap_or_default();
        content.insert("room_version".to_owned(), Value::from(version.as_str()));
        if wish.preset == Some(Preset::TrustedPrivateChat) && has_privileged_creators(&version) {
            add_creators(&mut content, &wish.invite, &requester.user_id)?;
        }
        Ok(Plan { version, alias, content, invite: wish.invite, third_party: wish.invite_3pid })
    }

    async fn carry_out(&self, requester: &Requester, plan: Plan, body: Bytes) -> Result<String, ServiceError> {
        let content = serde_json::to_vec(&plan.content).map_err(|error| ServiceError::internal(error.to_string()))?;
        let request =
            PrepareRoomRequest { caller: Some(requester.to_rooms()), room_version: plan.version, content: content.into() };
        let prepared = self.commands.prepare_room(request).await?;
        let own = self.member_profile(requester.user_id.as_str()).await;
        let request = CreateRoomRequest {
            caller: Some(requester.to_rooms()),
            room_id: prepared.room_id.clone(),
            create_pdu: prepared.create_pdu,
            request: body,
            displayname: own.displayname.clone(),
            avatar_url: own.avatar_url.clone(),
            alias: plan.alias.as_ref().map(ToString::to_string).unwrap_or_default(),
            invited_profiles: self.profiles(&plan.invite).await,
        };
        let room_id = self.create_with_alias(requester, plan.alias, request).await?;
        self.catch_up_profile(requester, &room_id, &own).await;
        Ok(room_id)
    }

    async fn create_with_alias(
        &self,
        requester: &Requester,
        alias: Option<OwnedRoomAliasId>,
        request: CreateRoomRequest,
    ) -> Result<String, ServiceError> {
        let Some(alias) = alias else { return self.create_at_owner(request).await };
        let room_id = request.room_id.clone();
        self.claim_alias(requester.to_rooms_step(1), &alias, &room_id).await.map_err(in_use)?;
        let outcome = self.create_at_owner(request).await;
        // An unknown outcome may have been a success: then the alias stays with its room.
        if outcome.as_ref().is_err_and(|error| error.code != ErrorCode::Unknown)
            && let Err(error) = self.release_alias(requester.to_rooms_step(2), &alias, &room_id).await
        {
            tracing::warn!(%alias, %error, "an alias of a room that was not made stays behind");
        }
        outcome
    }

    /// The room is there by now: who cannot be invited does not change that.
    async fn invite_third_parties(&self, requester: &Requester, room_id: &str, invites: &[ThirdPartyInvite]) {
        let Ok(room_id) = RoomId::parse(room_id) else { return };
        for (step, invite) in (3..).zip(invites) {
            if let Err(error) = self.invite_third_party(requester, &room_id, invite, step).await {
                tracing::warn!(%room_id, %error, "somebody could not be invited to a new room by their address");
            }
        }
    }

    async fn create_at_owner(&self, request: CreateRoomRequest) -> Result<String, ServiceError> {
        let room_id = request.room_id.clone();
        let call = |mut client: RoomClient, request| async move { client.create_room(request).await };
        Ok(self.commands.room(&room_id, request, call).await?.room_id)
    }

    async fn profiles(&self, users: &[OwnedUserId]) -> HashMap<String, Profile> {
        let mut profiles = HashMap::with_capacity(users.len());
        for user_id in users.iter().filter(|user_id| self.tenants.is_local(user_id.server_name().as_str())) {
            profiles.insert(user_id.to_string(), self.member_profile(user_id.as_str()).await);
        }
        profiles
    }
}

/// A request that was checked.
#[derive(Debug)]
struct Plan {
    version: String,
    alias: Option<OwnedRoomAliasId>,
    content: Map<String, Value>,
    invite: Vec<OwnedUserId>,
    third_party: Vec<ThirdPartyInvite>,
}

/// The full alias of a local part.
fn alias_of(name: &str, server_name: &str) -> Result<OwnedRoomAliasId, ServiceError> {
    if name.is_empty() || name.contains([':', '\0']) || name.chars().any(char::is_whitespace) {
        return Err(ServiceError::invalid_param("room_alias_name is the part of an alias between # and :"));
    }
    RoomAliasId::parse(format!("#{name}:{server_name}")).map_err(|_| ServiceError::invalid_param("room_alias_name makes no alias"))
}

/// Room version 12 on: creators have infinite power, so the invited of a trusted private chat become creators.
fn has_privileged_creators(version: &str) -> bool {
    version.parse::<u32>().is_ok_and(|version| version >= 12)
}

fn add_creators(content: &mut Map<String, Value>, invited: &[OwnedUserId], creator: &OwnedUserId) -> Result<(), ServiceError> {
    let creators = content.entry("additional_creators").or_insert_with(|| Value::Array(Vec::new()));
    let creators =
        creators.as_array_mut().ok_or_else(|| ServiceError::bad_json("creation_content.additional_creators is a list"))?;
    for user_id in invited.iter().filter(|user_id| *user_id != creator) {
        if !creators.iter().any(|known| known == user_id.as_str()) {
            creators.push(Value::from(user_id.as_str()));
        }
    }
    Ok(())
}

/// createRoom calls a taken alias M_ROOM_IN_USE.
fn in_use(error: ServiceError) -> ServiceError {
    if error.code == ErrorCode::Conflict { ServiceError { errcode: Some(Cow::Borrowed("M_ROOM_IN_USE")), ..error } } else { error }
}
