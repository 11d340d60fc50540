//! Room aliases.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    rooms::AliasRow,
    roomserver::{Caller, ClaimAliasRequest, ReleaseAliasRequest, SendEventRequest},
};
use banyan_rooms::{reader::At, visibility::Access};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId};
use serde_json::{Map, Value};

use super::{App, Requester, state::not_a_member};
use crate::calls::RoomClient;

/// What an alias means.
#[derive(Debug)]
pub(crate) struct ResolvedAlias {
    pub(crate) room_id: OwnedRoomId,
    /// Servers that are in the room, ours first.
    pub(crate) servers: Vec<String>,
}

impl App {
    /// What an alias means.
    ///
    /// # Errors
    /// M_INVALID_PARAM for what is no alias, M_NOT_FOUND.
    pub(crate) async fn resolve_alias(&self, alias: &str) -> Result<ResolvedAlias, ServiceError> {
        let alias = parse_alias(alias)?;
        let row = self.alias_row(&alias).await?;
        let room_id = RoomId::parse(&row.room_id).map_err(|error| ServiceError::internal(format!("an alias's room: {error}")))?;
        let own = alias.server_name().as_str().to_owned();
        let others = row.servers.into_iter().filter(|server| *server != own);
        Ok(ResolvedAlias { room_id, servers: std::iter::once(own.clone()).chain(others).collect() })
    }

    /// The aliases of a room that are of the caller's tenant, for who is in the room or where the world may read.
    ///
    /// # Errors
    /// M_FORBIDDEN for others.
    pub(crate) async fn local_aliases(
        &self,
        requester: &Requester,
        room_id: &RoomId,
    ) -> Result<Vec<OwnedRoomAliasId>, ServiceError> {
        if !matches!(self.access(requester, room_id).await?, Access::Joined | Access::WorldReadable) {
            return Err(not_a_member());
        }
        let mut aliases = self.rooms.aliases_of(room_id).await?;
        aliases.retain(|alias| alias.server_name() == requester.visitor.tenant.name());
        Ok(aliases)
    }

    /// Binds an alias of the caller's tenant to a room.
    ///
    /// # Errors
    /// M_INVALID_PARAM for an alias of another server or a room that is none, M_NOT_FOUND for an unknown room, 409 if it is bound.
    pub(crate) async fn put_alias(&self, requester: &Requester, alias: &str, room_id: &str) -> Result<(), ServiceError> {
        let alias = own_alias(requester, alias)?;
        let room_id = RoomId::parse(room_id).map_err(|_| ServiceError::invalid_param("Not a room id"))?;
        if self.rooms.head(&room_id).await?.is_none() {
            return Err(ServiceError::not_found("This room is not known here"));
        }
        let answer = self.claim_alias(requester.to_rooms(), &alias, room_id.as_str()).await;
        answer.map_err(|error| match error.code {
            ErrorCode::Conflict => {
                ServiceError::matrix(ErrorCode::Conflict, "M_UNKNOWN", format!("The room alias {alias} already exists"))
            }
            _ => error,
        })
    }

    /// Removes an alias of the caller's tenant: its creator may, and whoever may change the room's canonical alias.
    ///
    /// # Errors
    /// M_NOT_FOUND, M_FORBIDDEN.
    pub(crate) async fn delete_alias(&self, requester: &Requester, alias: &str) -> Result<(), ServiceError> {
        let alias = own_alias(requester, alias)?;
        let row = self.alias_row(&alias).await?;
        if row.creator != requester.user_id.as_str() && !self.may_set_canonical_alias(requester, &row.room_id).await? {
            return Err(ServiceError::forbidden("You may not delete this alias"));
        }
        self.release_alias(requester.to_rooms(), &alias, &row.room_id).await?;
        // The alias is gone whatever comes of this: who may delete it need not be one who may change the room.
        if let Err(error) = self.drop_from_canonical(requester, &alias, &row.room_id).await {
            tracing::debug!(%error, "a deleted alias stays in m.room.canonical_alias");
        }
        Ok(())
    }

    /// Takes a deleted alias out of its room's m.room.canonical_alias.
    async fn drop_from_canonical(&self, requester: &Requester, alias: &RoomAliasId, room_id: &str) -> Result<(), ServiceError> {
        let room_id = RoomId::parse(room_id).map_err(|error| ServiceError::internal(format!("an alias's room: {error}")))?;
        let event = self.rooms.state_event(&room_id, "m.room.canonical_alias", "", &At::Now).await?;
        let Some(content) = event.and_then(|event| without_alias(&event.content(), alias.as_str())) else { return Ok(()) };
        let request = SendEventRequest {
            caller: Some(requester.to_rooms_step(1)),
            room_id: room_id.to_string(),
            r#type: "m.room.canonical_alias".to_owned(),
            state_key: Some(String::new()),
            content: content.into(),
            ..SendEventRequest::default()
        };
        self.send_at_owner(request).await.map(|_| ())
    }

    pub(crate) async fn claim_alias(&self, caller: Caller, alias: &RoomAliasId, room_id: &str) -> Result<(), ServiceError> {
        let request =
            ClaimAliasRequest { caller: Some(caller), alias: alias.to_string(), room_id: room_id.to_owned(), ..Default::default() };
        let call = |mut client: RoomClient, request| async move { client.claim_alias(request).await };
        self.commands.room(alias.as_str(), request, call).await.map(|_| ())
    }

    pub(crate) async fn release_alias(&self, caller: Caller, alias: &RoomAliasId, room_id: &str) -> Result<(), ServiceError> {
        let request = ReleaseAliasRequest { caller: Some(caller), alias: alias.to_string(), room_id: room_id.to_owned() };
        let call = |mut client: RoomClient, request| async move { client.release_alias(request).await };
        self.commands.room(alias.as_str(), request, call).await.map(|_| ())
    }

    async fn alias_row(&self, alias: &RoomAliasId) -> Result<AliasRow, ServiceError> {
        let row = self.rooms.alias(alias).await?;
        row.ok_or_else(|| ServiceError::not_found(format!("The room alias {alias} is not known here")))
    }

    async fn may_set_canonical_alias(&self, requester: &Requester, room_id: &str) -> Result<bool, ServiceError> {
        let Ok(room_id) = RoomId::parse(room_id) else { return Ok(false) };
        let wanted = [("m.room.power_levels", ""), ("m.room.create", ""), ("m.room.member", requester.user_id.as_str())];
        let found = self.rooms.state_events(&room_id, &wanted, &At::Now).await?;
        let event =
            |n: usize| found.get(n).and_then(Option::as_ref).map(|event| serde_json::from_slice(&event.pdu).unwrap_or_default());
        let joined = event(2).is_some_and(|event: Value| event["content"]["membership"] == "join");
        Ok(joined && may_set_canonical_alias(event(0).as_ref(), event(1).as_ref(), requester.user_id.as_str()))
    }
}

/// The content of m.room.canonical_alias without an alias; `None` if it is not in there.
fn without_alias(content: &str, alias: &str) -> Option<String> {
    let mut content: Map<String, Value> = serde_json::from_str(content).ok()?;
    let mut found = content.get("alias").is_some_and(|main| main == alias);
    if found {
        content.remove("alias");
    }
    if let Some(Value::Array(others)) = content.get_mut("alt_aliases") {
        let before = others.len();
        others.retain(|other| other != alias);
        found |= others.len() < before;
        if others.is_empty() {
            content.remove("alt_aliases");
        }
    }
    found.then(|| Value::Object(content).to_string())
}

/// Whether power levels let a user send m.room.canonical_alias; without any, only the creator may.
fn may_set_canonical_alias(levels: Option<&Value>, create: Option<&Value>, user_id: &str) -> bool {
    let is_creator = create.is_some_and(|create| {
        let also =
            create["content"]["additional_creators"].as_array().is_some_and(|users| users.iter().any(|user| user == user_id));
        create["sender"] == user_id || also
    });
    // From room version 12 on creators stand above all levels.
    let above_all = is_creator
        && create.is_some_and(|create| {
            create["content"]["room_version"]
                .as_str()
                .is_some_and(|version| version.parse::<u32>().is_ok_and(|version| version >= 12))
        });
    let Some(levels) = levels.map(|levels| &levels["content"]) else { return is_creator };
    let level = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    let needed = level(&levels["events"]["m.room.canonical_alias"]).or_else(|| level(&levels["state_default"])).unwrap_or(50);
    let has = level(&levels["users"][user_id]).or_else(|| level(&levels["users_default"])).unwrap_or(0);
    above_all || has >= needed
}

/// An alias as it stands in a path.
fn parse_alias(alias: &str) -> Result<OwnedRoomAliasId, ServiceError> {
    RoomAliasId::parse(alias).map_err(|_| ServiceError::invalid_param("Not a room alias"))
}

/// An alias, if it is of the caller's server.
fn own_alias(requester: &Requester, alias: &str) -> Result<OwnedRoomAliasId, ServiceError> {
    let alias = parse_alias(alias)?;
    if alias.server_name() == requester.visitor.tenant.name() {
        Ok(alias)
    } else {
        Err(ServiceError::invalid_param("The alias belongs to another server"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deleted_alias_is_taken_out_of_the_canonical_ones() {
        let without = |content: Value| {
            without_alias(&content.to_string(), "#a:x").map(|content| serde_json::from_str::<Value>(&content).unwrap())
        };
        assert_eq!(without(json!({"alias": "#a:x"})), Some(json!({})));
        assert_eq!(
            without(json!({"alias": "#b:x", "alt_aliases": ["#a:x", "#c:x"], "n": 1})),
            Some(json!({"alias": "#b:x", "alt_aliases": ["#c:x"], "n": 1}))
        );
        assert_eq!(without(json!({"alias": "#a:x", "alt_aliases": ["#a:x"]})), Some(json!({})));
        assert_eq!(without(json!({"alias": "#b:x", "alt_aliases": ["#c:x"]})), None);
    }

    #[test]
    fn who_may_change_the_canonical_alias_may_delete_aliases() {
        let create = json!({"sender": "@a:x", "content": {"room_version": "11"}});
        let may = |levels: Option<Value>, user: &str| {
            let levels = levels.map(|content| json!({ "content": content }));
            may_set_canonical_alias(levels.as_ref(), Some(&create), user)
        };
        assert!(may(None, "@a:x") && !may(None, "@b:x"));
        assert!(may(Some(json!({"users": {"@b:x": 50}})), "@b:x"));
        assert!(!may(Some(json!({"users": {"@b:x": 49}})), "@b:x"));
        assert!(!may(Some(json!({"users": {"@b:x": 50}, "events": {"m.room.canonical_alias": 60}})), "@b:x"));
        assert!(may(Some(json!({"users_default": 10, "state_default": 10})), "@c:x"));
        assert!(!may(Some(json!({"users": {}})), "@a:x"));
        let twelve = json!({"sender": "@a:x", "content": {"room_version": "12", "additional_creators": ["@d:x"]}});
        let levels = json!({"content": {"events": {"m.room.canonical_alias": 100}}});
        for user in ["@a:x", "@d:x"] {
            assert!(may_set_canonical_alias(Some(&levels), Some(&twelve), user));
        }
    }
}
