//! Calls to the owners of users and rooms.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::{Clock, Entropy, LogId, RequestId, ServiceError, ShardCount, ShardId};
use banyan_proto::{
    roomserver::{GetTypingRequest, GetTypingResponse, room_service_client::RoomServiceClient},
    transport::Transport,
    userserver::{AcknowledgeToDeviceRequest, Caller, user_service_client::UserServiceClient},
};
use banyan_runtime::{MAX_MESSAGE_BYTES, ShardRouter};
use ruma::{DeviceId, UserId};

/// How long a sync waits for an acknowledgement: it holds up the answer, and the next sync asks again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the owner of a user which messages a device got.
#[async_trait]
pub trait Acknowledge: fmt::Debug + Send + Sync + 'static {
    /// The device got everything below `position`.
    ///
    /// # Errors
    /// The owner's; it may have happened then.
    async fn acknowledge(&self, user: &UserId, device: &DeviceId, position: u64) -> Result<(), ServiceError>;
}

/// Asks owners of shards what they keep in memory alone.
#[async_trait]
pub trait AskOwners: fmt::Debug + Send + Sync + 'static {
    /// Who types in the rooms of a shard.
    ///
    /// # Errors
    /// The owner's, or that there is none just now.
    async fn who_types(&self, shard: ShardId) -> Result<GetTypingResponse, ServiceError>;
}

/// The userservers and roomservers.
pub struct Owners {
    router: Arc<ShardRouter>,
    shards: ShardCount,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owners").field("shards", &self.shards).finish_non_exhaustive()
    }
}

impl Owners {
    /// Finds owners through `router`.
    #[must_use]
    pub const fn new(router: Arc<ShardRouter>, shards: ShardCount, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { router, shards, clock, entropy }
    }
}

#[async_trait]
impl Acknowledge for Owners {
    async fn acknowledge(&self, user: &UserId, device: &DeviceId, position: u64) -> Result<(), ServiceError> {
        let request_id = RequestId::generate(&*self.clock, &*self.entropy).to_bytes().to_vec().into();
        let caller =
            Caller { tenant: user.server_name().to_string(), user_id: user.to_string(), device_id: device.to_string(), request_id };
        let request = AcknowledgeToDeviceRequest { caller: Some(caller), position };
        let log = LogId::users(self.shards.shard_of(user.as_str()));
        let call = |transport| {
            let request = request.clone();
            async move { UserServiceClient::new(transport).acknowledge_to_device(request).await }
        };
        self.router.call_within(PATIENCE, log, call).await?;
        Ok(())
    }
}

#[async_trait]
impl AskOwners for Owners {
    async fn who_types(&self, shard: ShardId) -> Result<GetTypingResponse, ServiceError> {
        let request = GetTypingRequest { shard: u32::from(shard.0) };
        let call = |transport| async move { room_service(transport).get_typing(request).await };
        self.router.call_within(PATIENCE, LogId::rooms(shard), call).await
    }
}

fn room_service(transport: Transport) -> RoomServiceClient<Transport> {
    RoomServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE_BYTES)
}
