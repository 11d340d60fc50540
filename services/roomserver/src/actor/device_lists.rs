//! Changes of members' devices on their way into the log: an entry of each room. Said twice it is told twice, which is harmless.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_log::Proposal;
use banyan_proto::rooms::{DeviceListOfMember, RoomEntry, room_entry::Kind};
use prost::Message as _;
use ruma::{OwnedRoomId, UserId};

use super::{commit::lane, shard::Shard};

impl Shard {
    /// Notes in each of these rooms that a member's devices changed; returns when that is committed and applied. To be called within
    /// [`Shard::run`].
    pub(crate) async fn note_device_list(
        self: &Arc<Self>,
        tenant: &Arc<str>,
        user_id: &UserId,
        rooms: &[OwnedRoomId],
    ) -> Result<(), ServiceError> {
        let proposal = |room_id: &OwnedRoomId| {
            let kind = Some(Kind::DeviceList(DeviceListOfMember { user_id: user_id.to_string() }));
            let body = RoomEntry { room_id: room_id.to_string(), kind, ..RoomEntry::default() }.encode_to_vec();
            Proposal { tenant: tenant.clone(), lane: lane(room_id.as_str()), body: body.into(), ..Proposal::default() }
        };
        let committed = self.log.propose(rooms.iter().map(proposal).collect())?.await.map_err(ServiceError::from);
        if committed.is_err() {
            self.fail();
        }
        committed.map(drop)
    }
}
