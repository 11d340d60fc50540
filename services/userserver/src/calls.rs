//! Calls to the owners of rooms.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use banyan_core::{LogId, ServiceError, ShardCount, ShardId};
use banyan_proto::roomserver::{
    NoteDeviceListRequest, SendEventRequest, SpreadProfileRequest, room_service_client::RoomServiceClient,
};
use banyan_runtime::ShardRouter;
use ruma::{OwnedRoomId, RoomId, UserId};

/// Rooms of one call at most: they are one group of entries there.
const PER_CALL: usize = 200;

/// Tells rooms what happened to their members, and what they send.
#[async_trait]
pub trait TellRooms: fmt::Debug + Send + Sync + 'static {
    /// What others see of the user's devices has changed. Repeating it is harmless.
    ///
    /// # Errors
    /// The owners'; some rooms may know it then.
    async fn device_list(&self, user_id: &UserId, rooms: Vec<OwnedRoomId>) -> Result<(), ServiceError>;

    /// The user's member event is to say what their profile says now. Repeating it is harmless.
    ///
    /// # Errors
    /// The owner's.
    async fn profile(&self, user_id: &UserId, room_id: &RoomId) -> Result<(), ServiceError>;

    /// Sends an event; answers its id. Repeating it under its transaction id is harmless.
    ///
    /// # Errors
    /// The owner's.
    async fn send(&self, request: SendEventRequest) -> Result<String, ServiceError>;
}

/// The roomservers.
pub struct Roomservers {
    router: Arc<ShardRouter>,
    shards: ShardCount,
}

impl fmt::Debug for Roomservers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roomservers").field("shards", &self.shards).finish_non_exhaustive()
    }
}

impl Roomservers {
    /// Finds owners through `router`.
    #[must_use]
    pub const fn new(router: Arc<ShardRouter>, shards: ShardCount) -> Self {
        Self { router, shards }
    }
}

#[async_trait]
impl TellRooms for Roomservers {
    async fn device_list(&self, user_id: &UserId, rooms: Vec<OwnedRoomId>) -> Result<(), ServiceError> {
        let mut by_shard: BTreeMap<ShardId, Vec<String>> = BTreeMap::new();
        for room_id in rooms {
            by_shard.entry(self.shards.shard_of(room_id.as_str())).or_default().push(room_id.to_string());
        }
        for (shard, rooms) in by_shard {
            for room_ids in rooms.chunks(PER_CALL) {
                let (tenant, user_id) = (user_id.server_name().to_string(), user_id.to_string());
                let request = NoteDeviceListRequest { tenant, user_id, room_ids: room_ids.to_vec() };
                let call = |transport| {
                    let request = request.clone();
                    async move { RoomServiceClient::new(transport).note_device_list(request).await }
                };
                self.router.call(LogId::rooms(shard), call).await?;
            }
        }
        Ok(())
    }

    async fn profile(&self, user_id: &UserId, room_id: &RoomId) -> Result<(), ServiceError> {
        let request = SpreadProfileRequest { user_id: user_id.to_string(), room_id: room_id.to_string() };
        let call = |transport| {
            let request = request.clone();
            async move { RoomServiceClient::new(transport).spread_profile(request).await }
        };
        self.router.call(LogId::rooms(self.shards.shard_of(room_id.as_str())), call).await.map(drop)
    }

    async fn send(&self, request: SendEventRequest) -> Result<String, ServiceError> {
        let log = LogId::rooms(self.shards.shard_of(&request.room_id));
        let call = |transport| {
            let request = request.clone();
            async move { RoomServiceClient::new(transport).send_event(request).await }
        };
        Ok(self.router.call(log, call).await?.event_id)
    }
}
