//! Moves m.fully_read of a room (client-server specification, "Fully read markers").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{EventPlace, FullyReadMoved, user_entry::Kind},
    userserver::{MoveFullyReadRequest, MoveFullyReadResponse},
};

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Moves the marker, unless it stands at the event or behind it in the room's timeline.
pub(crate) async fn move_fully_read(inner: &Inner, request: MoveFullyReadRequest) -> Result<MoveFullyReadResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(MoveFullyReadResponse {});
    }
    active_account(inner, &command.user_id).await?;
    let place = EventPlace { arrival: request.arrival, sub: request.sub };
    let now = inner.shared.reader.fully_read_place(&command.user_id, &request.room_id).await?;
    if now.is_none_or(|now| (now.arrival, now.sub) < (place.arrival, place.sub)) {
        let moved = FullyReadMoved { room_id: request.room_id, event_id: request.event_id, place: Some(place) };
        turn.commit(vec![entries::entry(&command.user_id, Kind::FullyRead(moved))]).await?;
    }
    Ok(MoveFullyReadResponse {})
}
