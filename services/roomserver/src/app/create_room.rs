//! Makes a room with everything POST /createRoom asks for, at once or not at all (client-server specification, "Creation").

use std::{collections::HashMap, sync::Arc};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::Profile;
use banyan_rooms::{
    event_builder::{self, EventDraft},
    pdu::Pdu,
    state::StateKey,
};
use bytes::Bytes;
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};

use super::{invite_permission, member_event, prepare_room::served_version};
use crate::{
    actor::{Caller, Shard, Turn},
    content::create_body::{self, CreateBody, Visibility},
    errors,
};

/// What is asked.
#[derive(Debug)]
pub(crate) struct CreateRoom {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) create_pdu: Bytes,
    /// The request's JSON body.
    pub(crate) request: Bytes,
    pub(crate) profile: Profile,
    /// Claimed already; empty for none.
    pub(crate) alias: String,
    pub(crate) invited_profiles: HashMap<String, Profile>,
}

/// Creates the room.
pub(crate) async fn create_room(shard: Arc<Shard>, command: CreateRoom) -> Result<OwnedRoomId, ServiceError> {
    let body = CreateBody::parse(&command.request)?;
    check_invites(&shard, &body)?;
    let create = read_create(&command)?;
    if shard.earlier(&command.caller, None).await?.is_some() {
        return Ok(command.room_id);
    }
    let mut turn = Turn::begin(&shard, &command.room_id).await?;
    if let Some(outcome) = shard.outcome(&command.caller, None) {
        drop(turn);
        return outcome.await.map(|_| command.room_id);
    }
    if turn.exists() {
        return Err(ServiceError::matrix(ErrorCode::Conflict, "M_ROOM_IN_USE", "there is such a room already"));
    }
    let creators = creators(&create)?;
    turn.place(create, None).await?;
    Maker { turn: &mut turn, command: &command, body: &body }.make(&creators).await?;
    if body.visibility == Some(Visibility::Public) {
        turn.publish(&command.caller.tenant, true)?;
    }
    turn.commit(&command.caller, Vec::new(), command.room_id.as_str()).await?;
    Ok(command.room_id)
}

fn check_invites(shard: &Shard, body: &CreateBody) -> Result<(), ServiceError> {
    let remote = body.invite.iter().find(|user| !shard.shared.tenants.is_local(user.server_name().as_str()));
    remote.map_or(Ok(()), |user| Err(errors::remote(user.as_str())))
}

fn read_create(command: &CreateRoom) -> Result<Pdu, ServiceError> {
    #[derive(serde::Deserialize)]
    struct Create {
        content: Content,
    }
    #[derive(serde::Deserialize)]
    struct Content {
        room_version: String,
    }
    let invalid = |problem: String| ServiceError::invalid_param(format!("the create event: {problem}"));
    let read: Create = serde_json::from_slice(&command.create_pdu).map_err(|error| invalid(error.to_string()))?;
    let version = served_version(&read.content.room_version)?;
    let create = Pdu::from_received(&command.create_pdu, version).map_err(|error| invalid(error.to_string()))?;
    if !create.is_create() || create.room_id() != command.room_id || create.sender() != command.caller.user_id {
        return Err(invalid("is not the caller's for this room".to_owned()));
    }
    Ok(create)
}

/// Those with infinite power, who must not be listed in the power levels; nobody before room version 12.
fn creators(create: &Pdu) -> Result<Vec<String>, ServiceError> {
    if !create.version().authorization().explicitly_privilege_room_creators {
        return Ok(Vec::new());
    }
    let info = create.create_info().map_err(|problem| ServiceError::bad_json(problem.to_owned()))?;
    Ok(info.creators().iter().map(ToString::to_string).collect())
}

/// Makes the events after the first, in the order of the specification.
struct Maker<'a> {
    turn: &'a mut Turn,
    command: &'a CreateRoom,
    body: &'a CreateBody,
}

impl Maker<'_> {
    async fn make(mut self, creators: &[String]) -> Result<(), ServiceError> {
        let (body, creator) = (self.body, self.command.caller.user_id.clone());
        let mut join = json!({"membership": "join"});
        member_event::set_profile(&mut join, &self.command.profile);
        self.state("m.room.member", creator.as_str(), &join).await?;
        let levels = create_body::power_levels(body, creator.as_str(), creators);
        self.state("m.room.power_levels", "", &levels.into()).await?;
        if !self.command.alias.is_empty() {
            let content = json!({"alias": self.command.alias});
            self.state("m.room.canonical_alias", "", &content).await?;
        }
        self.preset().await?;
        for event in &body.initial_state {
            let overridden = event.state_key.is_empty()
                && (event.event_type == "m.room.name" && body.name.is_some()
                    || event.event_type == "m.room.topic" && body.topic.is_some());
            if !overridden {
                self.raw_state(&event.event_type, &event.state_key, event.content.get().as_bytes()).await?;
            }
        }
        if let Some(name) = &body.name {
            self.state("m.room.name", "", &json!({"name": name})).await?;
        }
        if let Some(topic) = &body.topic {
            self.state("m.room.topic", "", &create_body::topic(topic)).await?;
        }
        self.invites().await
    }

    async fn preset(&mut self) -> Result<(), ServiceError> {
        let preset = self.body.preset();
        let events = [
            ("m.room.join_rules", json!({"join_rule": preset.join_rule()})),
            ("m.room.history_visibility", json!({"history_visibility": "shared"})),
            ("m.room.guest_access", json!({"guest_access": preset.guest_access()})),
        ];
        for (event_type, content) in events {
            if !self.body.sets(event_type) {
                self.state(event_type, "", &content).await?;
            }
        }
        Ok(())
    }

    async fn invites(&mut self) -> Result<(), ServiceError> {
        for user in &self.body.invite {
            let mut content = json!({"membership": "invite"});
            if let Some(is_direct) = self.body.is_direct {
                content["is_direct"] = is_direct.into();
            }
            if let Some(profile) = self.command.invited_profiles.get(user.as_str()) {
                member_event::set_profile(&mut content, profile);
            }
            self.turn.check_server(user.server_name()).await?;
            invite_permission::check(self.turn, user).await?;
            let draft = self.draft("m.room.member", user.as_str(), &serde_json::to_vec(&content).unwrap_or_default())?;
            self.turn.send(draft, None, &[user.server_name()]).await.map_err(invalid_state)?;
        }
        Ok(())
    }

    async fn state(&mut self, event_type: &str, state_key: &str, content: &Value) -> Result<(), ServiceError> {
        self.raw_state(event_type, state_key, content.to_string().as_bytes()).await
    }

    async fn raw_state(&mut self, event_type: &str, state_key: &str, content: &[u8]) -> Result<(), ServiceError> {
        if event_type == "m.room.create" {
            return Err(invalid_state(ServiceError::forbidden("initial_state must not have an m.room.create event")));
        }
        let draft = self.draft(event_type, state_key, content)?;
        self.turn.send(draft, None, &[]).await.map_err(invalid_state)?;
        Ok(())
    }

    fn draft(&self, event_type: &str, state_key: &str, content: &[u8]) -> Result<EventDraft, ServiceError> {
        let content: CanonicalJsonObject = event_builder::content_from_json(content).map_err(|error| errors::build(&error))?;
        let sender: OwnedUserId = self.command.caller.user_id.clone();
        Ok(EventDraft::state(sender, StateKey::new(event_type, state_key), content, self.turn.timestamp()))
    }
}

/// What the room's own rules forbid is a fault of the request's initial state.
fn invalid_state(error: ServiceError) -> ServiceError {
    if error.code == ErrorCode::Forbidden && error.errcode.as_deref() == Some("M_FORBIDDEN") {
        return ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_ROOM_STATE", error.message);
    }
    error
}
