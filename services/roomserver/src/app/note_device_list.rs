//! Tells rooms that a member's devices changed (client-server specification, "Tracking the device list for a user").

use std::sync::Arc;

use banyan_core::ServiceError;
use ruma::{OwnedRoomId, OwnedUserId};

use crate::actor::Shard;

/// Rooms of one command: they are one group of entries, which has 250 at most.
const MAX: usize = 200;

/// What is noted.
#[derive(Debug)]
pub(crate) struct NoteDeviceList {
    pub(crate) tenant: Arc<str>,
    pub(crate) user_id: OwnedUserId,
    pub(crate) rooms: Vec<OwnedRoomId>,
}

/// Notes it in the rooms that the user is in still.
pub(crate) async fn note_device_list(shard: Arc<Shard>, command: NoteDeviceList) -> Result<(), ServiceError> {
    let NoteDeviceList { tenant, user_id, rooms } = &command;
    if rooms.len() > MAX {
        return Err(ServiceError::invalid_param("too many rooms at once"));
    }
    let mut joined = Vec::with_capacity(rooms.len());
    for room_id in rooms {
        let member = shard.shared.reader.membership(user_id, room_id).await?;
        if member.is_some_and(|row| row.membership == "join") {
            joined.push(room_id.clone());
        }
    }
    if joined.is_empty() { shard.confirm(()).await } else { shard.note_device_list(tenant, user_id, &joined).await }
}
