//! m.room.canonical_alias names aliases that mean the room (client-server specification, PUT /rooms/{roomId}/state/…).

use std::collections::BTreeSet;

use banyan_core::{ErrorCode, ServiceError};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, RoomAliasId};

use crate::actor::Turn;

/// Refuses aliases that are new in the content and do not mean this room. Those of other servers cannot be asked for and are refused
/// too.
pub(crate) async fn check(turn: &Turn, content: &CanonicalJsonObject) -> Result<(), ServiceError> {
    let wanted = aliases(content)?;
    let current = turn.state_event("m.room.canonical_alias", "").await?;
    let known = current
        .and_then(|event| event.content_as::<CanonicalJsonObject>().ok())
        .and_then(|content| aliases(&content).ok())
        .unwrap_or_default();
    for alias in wanted.difference(&known) {
        let row = turn.reader().alias(alias).await?;
        if row.is_none_or(|row| row.room_id != turn.room_id().as_str()) {
            let message = format!("{alias} does not mean this room");
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_BAD_ALIAS", message));
        }
    }
    Ok(())
}

fn aliases(content: &CanonicalJsonObject) -> Result<BTreeSet<OwnedRoomAliasId>, ServiceError> {
    let mut aliases = BTreeSet::new();
    match content.get("alias") {
        None | Some(CanonicalJsonValue::Null) => {}
        Some(CanonicalJsonValue::String(alias)) if alias.is_empty() => {}
        Some(alias) => {
            aliases.insert(parse(alias)?);
        }
    }
    match content.get("alt_aliases") {
        None | Some(CanonicalJsonValue::Null) => {}
        Some(CanonicalJsonValue::Array(alternatives)) => {
            for alias in alternatives {
                aliases.insert(parse(alias)?);
            }
        }
        Some(_) => return Err(ServiceError::invalid_param("alt_aliases is not an array")),
    }
    Ok(aliases)
}

fn parse(alias: &CanonicalJsonValue) -> Result<OwnedRoomAliasId, ServiceError> {
    let text = alias.as_str().ok_or_else(|| ServiceError::invalid_param("an alias is not a string"))?;
    RoomAliasId::parse(text).map_err(|_| ServiceError::invalid_param(format!("{text:?} is not a room alias")))
}
