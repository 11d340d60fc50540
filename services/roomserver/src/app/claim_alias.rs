//! Binds an alias to a room, unless it is bound.

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::rooms::AliasChanged;
use ruma::{OwnedRoomAliasId, OwnedRoomId};

use crate::actor::{Caller, Shard};

/// Claims the alias. One who claims it again for the same room is told it is theirs.
pub(crate) async fn claim_alias(
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
    if let Some(row) = shard.shared.reader.alias(&alias).await? {
        if row.room_id == room_id.as_str() && row.creator == caller.user_id.as_str() {
            return Ok(());
        }
        return Err(ServiceError::matrix(ErrorCode::Conflict, "M_ROOM_IN_USE", format!("{alias} is taken")));
    }
    let change = AliasChanged {
        alias: alias.to_string(),
        room_id_of_alias: room_id.to_string(),
        creator: caller.user_id.to_string(),
        servers: vec![alias.server_name().to_string()],
        previous_room_id: String::new(),
    };
    shard.change_alias(&caller, change).await
}
