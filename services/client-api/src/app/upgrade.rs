//! Upgrading rooms: the owner of the room makes the new one, then the aliases move, which have owners of their own.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::{ClaimAliasRequest, UpgradeRoomRequest};
use banyan_runtime::Stage;
use banyan_tenants::config::ROOM_VERSIONS;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde::Deserialize;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{App, Requester};
use crate::calls::RoomClient;

/// Creators in one request at most.
const MAX_CREATORS: usize = 100;

/// The request's body.
#[derive(Debug, Deserialize)]
pub(crate) struct UpgradeWish {
    new_version: String,
    #[serde(default)]
    additional_creators: Vec<OwnedUserId>,
}

impl App {
    /// Replaces a room and answers the new one's id. Goes on to the end even if the client goes away: aliases would stay behind.
    ///
    /// # Errors
    /// M_UNSUPPORTED_ROOM_VERSION, M_INVALID_PARAM for too many creators, M_FORBIDDEN.
    pub(crate) async fn upgrade(
        &self,
        requester: &Requester,
        room_id: OwnedRoomId,
        wish: UpgradeWish,
    ) -> Result<OwnedRoomId, ServiceError> {
        if !ROOM_VERSIONS.contains(&wish.new_version.as_str()) {
            let message = "This server cannot make rooms of this version";
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNSUPPORTED_ROOM_VERSION", message));
        }
        if wish.additional_creators.len() > MAX_CREATORS {
            return Err(ServiceError::invalid_param(format!("A room has at most {MAX_CREATORS} additional creators")));
        }
        let (app, requester) = (self.clone(), requester.clone());
        let (answer, outcome) = oneshot::channel();
        let work = async move {
            let result = app.carry_out_upgrade(&requester, &room_id, wish).await;
            if let Err(result) = answer.send(result) {
                tracing::debug!(upgraded = result.is_ok(), "a client went away while its room was upgraded");
            }
        };
        self.shutdown.spawn(Stage::Listeners, "upgrade room", work.in_current_span());
        outcome.await.map_err(|_| ServiceError::new(ErrorCode::Unknown, "the process ended while a room was upgraded"))?
    }

    async fn carry_out_upgrade(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        wish: UpgradeWish,
    ) -> Result<OwnedRoomId, ServiceError> {
        let own = self.member_profile(requester.user_id.as_str()).await;
        let request = UpgradeRoomRequest {
            caller: Some(requester.to_rooms()),
            room_id: room_id.to_string(),
            new_version: wish.new_version,
            additional_creators: wish.additional_creators.iter().map(ToString::to_string).collect(),
            profile: Some(own.clone()),
        };
        let call = |mut client: RoomClient, request| async move { client.upgrade_room(request).await };
        let replacement = self.commands.room(room_id.as_str(), request, call).await?.replacement_room;
        let replacement = RoomId::parse(replacement).map_err(|error| ServiceError::internal(format!("a new room: {error}")))?;
        self.catch_up_profile(requester, replacement.as_str(), &own).await;
        self.move_aliases(requester, room_id, &replacement).await;
        self.carry_over(requester, &replacement).await;
        Ok(replacement)
    }

    /// Moves the tenant's aliases of a room. The room is upgraded whatever comes of it.
    async fn move_aliases(&self, requester: &Requester, from: &RoomId, to: &RoomId) {
        let aliases = self.rooms.aliases_of(from).await.unwrap_or_else(|error| {
            tracing::warn!(room_id = %from, %error, "the aliases of an upgraded room stay behind");
            Vec::new()
        });
        let own = aliases.into_iter().filter(|alias| alias.server_name() == requester.visitor.tenant.name());
        for (step, alias) in (1..).zip(own) {
            let request = ClaimAliasRequest {
                caller: Some(requester.to_rooms_step(step)),
                alias: alias.to_string(),
                room_id: to.to_string(),
                from_room_id: from.to_string(),
            };
            let call = |mut client: RoomClient, request| async move { client.claim_alias(request).await };
            if let Err(error) = self.commands.room(alias.as_str(), request, call).await {
                tracing::warn!(%alias, %error, "an alias of an upgraded room stays behind");
            }
        }
    }
}
