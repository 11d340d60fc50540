//! Calls to the owners of users.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use banyan_core::{Clock, Entropy, LogId, RequestId, ServiceError, ShardCount};
use banyan_proto::userserver::{AcknowledgeToDeviceRequest, Caller, user_service_client::UserServiceClient};
use banyan_runtime::ShardRouter;
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

/// The userservers.
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
