//! Publishes a room in a tenant's directory, or takes it out (client-server specification, PUT /directory/list/room/{roomId}).

use std::sync::Arc;

use banyan_core::ServiceError;
use ruma::{OwnedRoomId, events::TimelineEventType};

use crate::actor::{Caller, Shard, Turn};

/// What is asked.
#[derive(Debug)]
pub(crate) struct PublishRoom {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) published: bool,
}

/// Does it in the directory of the caller's tenant. What is so already costs no entry.
pub(crate) async fn publish_room(shard: Arc<Shard>, command: PublishRoom) -> Result<(), ServiceError> {
    let PublishRoom { caller, room_id, published } = command;
    if shard.earlier(&caller, None).await?.is_some() {
        return Ok(());
    }
    let mut turn = Turn::begin(&shard, &room_id).await?;
    if let Some(outcome) = shard.outcome(&caller, None) {
        drop(turn);
        return outcome.await.map(drop);
    }
    if !turn.exists() {
        return Err(ServiceError::not_found("this room is not known here"));
    }
    check(&turn, &caller).await?;
    if turn.publish(&caller.tenant, published)? {
        turn.commit(&caller, Vec::new(), room_id.as_str()).await?;
        return Ok(());
    }
    drop(turn);
    shard.confirm(()).await
}

/// Members may who also say by which name the room is found, and administrators of the server.
async fn check(turn: &Turn, caller: &Caller) -> Result<(), ServiceError> {
    let member = turn.membership(caller.user_id.as_str()).await? == "join";
    if member && turn.powers().await?.may_send(&caller.user_id, &TimelineEventType::RoomCanonicalAlias, true) {
        return Ok(());
    }
    let account = turn.users().account(caller.user_id.as_str()).await?;
    if account.is_some_and(|account| account.admin && !account.deactivated) {
        return Ok(());
    }
    Err(ServiceError::forbidden("you may not publish this room, nor take it out of the directory"))
}
