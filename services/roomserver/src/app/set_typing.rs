//! Says whether a user types in a room (client-server specification, "Typing Notifications").

use std::{sync::Arc, time::Duration};

use banyan_core::ServiceError;
use ruma::OwnedRoomId;

use crate::actor::{Caller, Shard};

/// Nobody types for longer without saying so again.
const MOST: Duration = Duration::from_secs(120);

/// What is said.
#[derive(Debug)]
pub(crate) struct SetTyping {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    /// For how long; `None`: not any more.
    pub(crate) typing: Option<Duration>,
}

/// Notes it, and tells the others.
pub(crate) async fn set_typing(shard: Arc<Shard>, command: SetTyping) -> Result<(), ServiceError> {
    let SetTyping { caller, room_id, typing } = command;
    shard.replayed().await?;
    let member = shard.shared.reader.membership(&caller.user_id, &room_id).await?;
    if member.is_none_or(|row| row.membership != "join") {
        return Err(ServiceError::forbidden("you have not joined this room"));
    }
    let now = shard.shared.clock.now().as_millis();
    let until = typing.map(|time| now + i64::try_from(time.min(MOST).as_millis()).unwrap_or_default());
    shard.type_until(&room_id, caller.user_id.as_str(), until).await;
    Ok(())
}
