//! Makes the first event of a room, which from room version 12 on decides the room's id and so its shard.

use banyan_core::{ErrorCode, ServiceError};
use banyan_rooms::{
    event_builder::{self, NewRoom},
    pdu::Pdu,
    version::RoomVersion,
};
use bytes::Bytes;
use ruma::{MilliSecondsSinceUnixEpoch, UInt};

use crate::{actor::Caller, errors, parts::Shared};

/// What is asked.
#[derive(Debug)]
pub(crate) struct PrepareRoom {
    pub(crate) caller: Caller,
    /// Empty for the preferred version.
    pub(crate) room_version: String,
    pub(crate) content: Bytes,
}

/// Builds and signs the m.room.create event.
pub(crate) fn prepare_room(shared: &Shared, command: &PrepareRoom) -> Result<Pdu, ServiceError> {
    let version = served_version(&command.room_version)?;
    let json: &[u8] = if command.content.is_empty() { b"{}" } else { &command.content };
    let content = event_builder::content_from_json(json).map_err(|error| errors::build(&error))?;
    let origin_server_ts = MilliSecondsSinceUnixEpoch(UInt::new_saturating(shared.room_timestamp()));
    let signer = shared.signers.get(command.caller.user_id.server_name())?;
    let room = NewRoom { creator: command.caller.user_id.clone(), version, content, origin_server_ts };
    event_builder::create_room(room, signer, &*shared.entropy).map_err(|error| errors::create(&error))
}

/// The room version of this name; empty for the preferred one.
pub(crate) fn served_version(name: &str) -> Result<&'static RoomVersion, ServiceError> {
    if name.is_empty() {
        return Ok(RoomVersion::preferred());
    }
    RoomVersion::get(name)
        .map_err(|error| ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNSUPPORTED_ROOM_VERSION", error.to_string()))
}
