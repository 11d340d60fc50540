//! Removes an alias if it is bound to the given room.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::rooms::AliasChanged;
use ruma::{OwnedRoomAliasId, OwnedRoomId};

use crate::actor::{Caller, Shard};

/// Releases the alias. Whether the caller may is the client-api's to ask: it takes the room's power levels.
pub(crate) async fn release_alias(
    shard: Arc<Shard>,
    caller: Caller,
    alias: OwnedRoomAliasId,
    room_id: OwnedRoomId,
) -> Result<(), ServiceError> {
    let _turn = shard.names.lock().await;
    shard.check()?;
    if shard.earlier(&caller, None).await?.is_some() {
        return Ok(());
    }
    let row = shard.shared.reader.alias(&alias).await?;
    if row.is_none_or(|row| row.room_id != room_id.as_str()) {
        return Err(ServiceError::not_found(format!("{alias} does not mean this room")));
    }
    let change = AliasChanged { alias: alias.to_string(), previous_room_id: room_id.to_string(), ..AliasChanged::default() };
    shard.change_alias(&caller, change).await
}
