//! Inviting people by an e-mail address, through an identity server (specification: Client-Server API, "Third-party invites").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::{SendEventRequest, change_membership_request::Action};
use banyan_rooms::{
    pdu::Pdu,
    power::Powers,
    reader::{At, StateEvent},
    version::RoomVersion,
    visibility::Access,
};
use banyan_tenants::Tenant;
use banyan_users::threepid;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{App, Requester, membership::Change, state::not_a_member};
use crate::calls::{IdentityServer, StoredInvite};

/// Whom somebody wants in a room, and who knows them.
#[derive(Deserialize)]
pub(crate) struct ThirdPartyInvite {
    id_server: String,
    id_access_token: String,
    medium: String,
    address: String,
}

impl std::fmt::Debug for ThirdPartyInvite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThirdPartyInvite").field("medium", &self.medium).finish_non_exhaustive()
    }
}

/// What a room is called in the mail: a member of the request, and the state and the member of its content that it comes from.
const DESCRIPTION: [(&str, &str, &str); 5] = [
    ("room_alias", "m.room.canonical_alias", "alias"),
    ("room_avatar_url", "m.room.avatar", "url"),
    ("room_join_rules", "m.room.join_rules", "join_rule"),
    ("room_name", "m.room.name", "name"),
    ("room_type", "m.room.create", "type"),
];

impl ThirdPartyInvite {
    /// The address of its identity server, and its own in the canonical form.
    ///
    /// # Errors
    /// M_SERVER_NOT_TRUSTED, M_THREEPID_MEDIUM_NOT_SUPPORTED, M_INVALID_PARAM.
    pub(super) fn check(&self, tenant: &Tenant) -> Result<(String, String), ServiceError> {
        let url = tenant.config().identity_server(&self.id_server).ok_or_else(not_trusted)?;
        if self.medium != threepid::EMAIL {
            let message = "Only e-mail addresses can be invited";
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_THREEPID_MEDIUM_NOT_SUPPORTED", message));
        }
        let address = threepid::canonical_email(&self.address);
        Ok((url, address.ok_or_else(|| ServiceError::invalid_param("This is no e-mail address"))?))
    }
}

impl App {
    /// Invites whoever has an address: by their user id if the identity server knows it, else by an m.room.third_party_invite that they take
    /// up once it does. `step`: which invitation of one request this is.
    ///
    /// # Errors
    /// As [`ThirdPartyInvite::check`]; M_FORBIDDEN for who may not invite; what the identity server or the room's owner answers.
    pub(crate) async fn invite_third_party(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        invite: &ThirdPartyInvite,
        step: u64,
    ) -> Result<(), ServiceError> {
        let (url, address) = invite.check(&requester.visitor.tenant)?;
        // Before anybody gets a mail; the room's owner decides.
        self.must_be_able_to_invite(requester, room_id).await?;
        let server = IdentityServer { outbound: &self.outbound, url: &url, token: &invite.id_access_token };
        if let Some(user_id) = server.lookup(&invite.medium, &address).await? {
            return self.change_membership(requester, room_id, Change::of(&user_id, Action::Invite)).await.map(drop);
        }
        let stored = server.store_invite(&self.description(requester, room_id, &invite.medium, &address).await?).await?;
        let request = SendEventRequest {
            caller: Some(requester.to_rooms_step(step)),
            room_id: room_id.to_string(),
            r#type: "m.room.third_party_invite".to_owned(),
            content: content(&stored).to_string().into(),
            state_key: Some(stored.token),
            ..SendEventRequest::default()
        };
        self.send_at_owner(request).await.map(drop)
    }

    async fn must_be_able_to_invite(&self, requester: &Requester, room_id: &RoomId) -> Result<(), ServiceError> {
        if self.access(requester, room_id).await? != Access::Joined {
            return Err(not_a_member());
        }
        let version = self.rooms.room_version(room_id).await?.ok_or_else(not_a_member)?;
        let version = RoomVersion::get(version.as_str()).map_err(|error| ServiceError::internal(error.to_string()))?;
        let wanted = [("m.room.create", ""), ("m.room.power_levels", "")];
        let mut events = self.rooms.state_events(room_id, &wanted, &At::Now).await?.into_iter();
        let mut next = || {
            let pdu = |event: StateEvent| Pdu::from_stored(event.pdu, event.event_id, room_id, version);
            events.next().flatten().map(pdu).transpose().map_err(|error| ServiceError::internal(error.to_string()))
        };
        let (create, levels) = (next()?.ok_or_else(not_a_member)?, next()?);
        let powers = Powers::new(create, levels).map_err(ServiceError::internal)?;
        if powers.may_invite(&requester.user_id) {
            return Ok(());
        }
        Err(ServiceError::forbidden("You may not invite to this room"))
    }

    /// What the identity server is told, for its mail.
    async fn description(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        medium: &str,
        address: &str,
    ) -> Result<Value, ServiceError> {
        let wanted = DESCRIPTION.map(|(_, kind, _)| (kind, ""));
        let state = self.rooms.state_events(room_id, &wanted, &At::Now).await?;
        let own = self.member_profile(requester.user_id.as_str()).await;
        let mut told = Map::new();
        let mut tell = |member: &str, value: &str| {
            if !value.is_empty() {
                told.insert(member.to_owned(), value.into());
            }
        };
        for ((member, _, field), event) in DESCRIPTION.into_iter().zip(state) {
            let content: Value = event.and_then(|event| serde_json::from_str(&event.content()).ok()).unwrap_or_default();
            tell(member, content[field].as_str().unwrap_or_default());
        }
        tell("medium", medium);
        tell("address", address);
        tell("room_id", room_id.as_str());
        tell("sender", requester.user_id.as_str());
        tell("sender_display_name", &own.displayname);
        tell("sender_avatar_url", &own.avatar_url);
        Ok(Value::Object(told))
    }
}

/// The event's content. The first key stands alone too, for servers from before there were several.
fn content(stored: &StoredInvite) -> Value {
    let keys: Vec<Value> = stored
        .public_keys
        .iter()
        .map(|key| json!({"public_key": key.public_key, "key_validity_url": key.key_validity_url}))
        .collect();
    let mut content = keys.first().cloned().unwrap_or_default();
    content["display_name"] = stored.display_name.as_str().into();
    content["public_keys"] = keys.into();
    content
}

fn not_trusted() -> ServiceError {
    ServiceError::matrix(ErrorCode::Forbidden, "M_SERVER_NOT_TRUSTED", "This server does not trust this identity server")
}
