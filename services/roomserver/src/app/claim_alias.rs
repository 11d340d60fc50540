//! Binds an alias to a room, unless it is bound, or takes it from one room to another.

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::rooms::{AliasChanged, AliasRow};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId};

use crate::actor::{Caller, Shard};

/// Claims the alias; if it is bound to `from`, it is moved and stays its creator's. One who claims it again for the same room is told it is theirs.
pub(crate) async fn claim_alias(
    shard: Arc<Shard>,
    caller: Caller,
    alias: OwnedRoomAliasId,
    room_id: OwnedRoomId,
    from: Option<OwnedRoomId>,
) -> Result<(), ServiceError> {
    let _turn = shard.names.lock().await;
    shard.check()?;
    if shard.earlier(&caller, None).await?.is_some() {
        return Ok(());
    }
    let row = shard.shared.reader.alias(&alias).await?;
    if let Some(from) = &from {
        let Some(row) = &row else { return Ok(()) };
        if row.room_id == from.as_str() {
            return move_alias(&shard, &caller, &alias, &room_id, row).await;
        }
        // It means another room by now: that one's it stays.
        return Ok(());
    }
    if let Some(row) = row {
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

async fn move_alias(shard: &Shard, caller: &Caller, alias: &RoomAliasId, to: &RoomId, row: &AliasRow) -> Result<(), ServiceError> {
    let change = AliasChanged {
        alias: alias.to_string(),
        room_id_of_alias: to.to_string(),
        creator: row.creator.clone(),
        servers: row.servers.clone(),
        previous_room_id: row.room_id.clone(),
    };
    shard.change_alias(caller, change).await
}
