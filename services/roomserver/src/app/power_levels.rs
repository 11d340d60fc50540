//! m.room.power_levels: what is wrong with it for anybody is a fault of the request, not of who sends it.

use banyan_core::ServiceError;
use ruma::CanonicalJsonObject;

use crate::actor::Turn;

/// Refuses levels of users who have infinite power (room version 12 on: the creators must not be listed).
pub(super) async fn check(turn: &Turn, content: &CanonicalJsonObject) -> Result<(), ServiceError> {
    if !turn.version()?.authorization().explicitly_privilege_room_creators {
        return Ok(());
    }
    let Some(create) = turn.state_event("m.room.create", "").await? else { return Ok(()) };
    let info = create.create_info().map_err(|problem| ServiceError::internal(problem.to_owned()))?;
    let users = content.get("users").and_then(|users| users.as_object());
    let listed = users.and_then(|users| info.creators().iter().find(|creator| users.contains_key(creator.as_str())));
    listed.map_or(Ok(()), |creator| {
        Err(ServiceError::invalid_param(format!("{creator} made the room: creators have no power level")))
    })
}
