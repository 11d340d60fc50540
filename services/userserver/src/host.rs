//! The role, and which shards it has right now.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use banyan_core::{LogId, LogKind, ServiceError, ShardId};
use banyan_log::{Applier, OwnedLog};
use banyan_proto::userserver::user_service_server::{UserService, UserServiceServer};
use banyan_runtime::ShardHost;
use banyan_users::{UserApplier, UserReader};
use parking_lot::RwLock;
use tokio_util::task::AbortOnDropHandle;

use crate::{SetupError, UserserverParts, fan_out::News, parts::Shared, rpc::Rpc, schedule, shard::Shard};

/// The userserver of this process. Cheap to clone.
#[derive(Clone)]
pub struct Userserver(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) shared: Shared,
    shards: RwLock<HashMap<ShardId, Owned>>,
}

/// A shard that is here, who tells rooms what happens in it, and who sends its delayed events, for as long as it is.
struct Owned {
    shard: Arc<Shard>,
    _fan_outs: Vec<AbortOnDropHandle<()>>,
    _schedule: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Userserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Userserver").field("shards", &self.0.shards.read().len()).finish_non_exhaustive()
    }
}

impl Userserver {
    /// A userserver without shards: the runtime opens them.
    ///
    /// # Errors
    /// An option is wrong.
    pub fn new(parts: UserserverParts) -> Result<Self, SetupError> {
        Ok(Self(Arc::new(Inner { shared: Shared::new(parts)?, shards: RwLock::default() })))
    }

    /// The gRPC service.
    #[must_use]
    pub fn service(&self) -> UserServiceServer<impl UserService> {
        let limit = banyan_runtime::MAX_MESSAGE_BYTES;
        UserServiceServer::new(Rpc::new(self.0.clone())).max_decoding_message_size(limit).max_encoding_message_size(limit)
    }

    /// The read side that this role uses.
    #[must_use]
    pub fn reader(&self) -> &UserReader {
        &self.0.shared.reader
    }
}

impl Inner {
    /// The shard of a name (a user id, or the name of a registration token or a third-party identifier), if it is here.
    pub(crate) fn shard_of(&self, name: &str) -> Result<Arc<Shard>, ServiceError> {
        let shard = self.shared.shards.shard_of(name);
        self.shards.read().get(&shard).map(|owned| owned.shard.clone()).ok_or_else(|| ServiceError::not_owner(None))
    }
}

#[async_trait]
impl ShardHost for Userserver {
    fn kind(&self) -> LogKind {
        LogKind::Users
    }

    fn applier(&self) -> Arc<dyn Applier> {
        Arc::new(UserApplier)
    }

    async fn open(&self, log: OwnedLog) -> Result<(), ServiceError> {
        let follow = |news| AbortOnDropHandle::new(tokio::spawn(self.0.shared.fan_out.clone().run(log.id(), news)));
        let _fan_outs = News::ALL.map(follow).into();
        let shard = Arc::new(Shard::new(log));
        let schedule = schedule::run(Arc::downgrade(&self.0), shard.clone());
        let _schedule = AbortOnDropHandle::new(tokio::spawn(schedule));
        self.0.shards.write().insert(shard.id().shard, Owned { shard, _fan_outs, _schedule });
        Ok(())
    }

    async fn prepare(&self, _log: LogId) {
        // Nothing of a shard is kept in memory, so there is nothing to read ahead.
    }

    async fn close(&self, log: LogId) {
        // Commands under way hold the shard until they end; the log refuses whatever they still propose.
        self.0.shards.write().remove(&log.shard);
    }
}
