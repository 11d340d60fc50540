//! The role, and which shards it has right now.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use banyan_core::{LogId, LogKind, ServiceError, ShardId};
use banyan_log::{Applier, OwnedLog};
use banyan_proto::roomserver::room_service_server::RoomServiceServer;
use banyan_rooms::{apply::RoomApplier, reader::RoomReader};
use banyan_runtime::ShardHost;
use parking_lot::RwLock;
use tokio_util::task::AbortOnDropHandle;

use crate::{RoomserverParts, SetupError, actor::Shard, app::intents, metrics::Metrics, parts::Shared, push::Push, rpc::Rpc};

/// The roomserver of this process. Cheap to clone.
#[derive(Clone)]
pub struct Roomserver {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Metrics,
    shards: RwLock<HashMap<ShardId, Owned>>,
    push: Push,
    /// Set with the first shard.
    watch: OnceLock<AbortOnDropHandle<()>>,
}

/// A shard that is here, and who checks push rules on what arrives in it, for as long as it is.
struct Owned {
    shard: Arc<Shard>,
    _push: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Roomserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roomserver").field("shards", &self.inner.shards.read().len()).finish_non_exhaustive()
    }
}

impl Roomserver {
    /// A roomserver without shards: the runtime opens them.
    ///
    /// # Errors
    /// A tenant's signing key cannot be used.
    pub fn new(parts: RoomserverParts) -> Result<Self, SetupError> {
        let logs = parts.logs.clone();
        let shared = Arc::new(Shared::new(parts)?);
        let push = Push::new(logs, &shared);
        let inner = Inner { shared, metrics: Metrics::new(), shards: RwLock::default(), push, watch: OnceLock::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The gRPC service.
    #[must_use]
    pub fn service(&self) -> RoomServiceServer<impl banyan_proto::roomserver::room_service_server::RoomService> {
        let limit = banyan_runtime::MAX_MESSAGE_BYTES;
        RoomServiceServer::new(Rpc::new(self.inner.clone())).max_decoding_message_size(limit).max_encoding_message_size(limit)
    }

    /// The read side that this role uses; others may share its caches.
    #[must_use]
    pub fn reader(&self) -> &RoomReader {
        &self.inner.shared.reader
    }
}

impl Inner {
    /// The shard of a name (a room id or an alias), if it is here.
    pub(crate) fn shard_of(&self, name: &str) -> Result<Arc<Shard>, ServiceError> {
        self.shard(self.shared.shards.shard_of(name))
    }

    /// A shard, if it is here.
    pub(crate) fn shard(&self, shard: ShardId) -> Result<Arc<Shard>, ServiceError> {
        self.shards.read().get(&shard).map(|owned| owned.shard.clone()).ok_or_else(|| ServiceError::not_owner(None))
    }
}

#[async_trait]
impl ShardHost for Roomserver {
    fn kind(&self) -> LogKind {
        LogKind::Rooms
    }

    fn applier(&self) -> Arc<dyn Applier> {
        Arc::new(RoomApplier)
    }

    async fn open(&self, log: OwnedLog) -> Result<(), ServiceError> {
        let id = log.id();
        let shard = Arc::new(Shard::new(self.inner.shared.clone(), self.inner.metrics.clone(), log));
        shard.spawn(intents::resume(shard.clone()));
        self.inner.watch.get_or_init(|| self.inner.push.watch());
        let _push = self.inner.push.start(shard.clone());
        self.inner.shards.write().insert(id.shard, Owned { shard: shard.clone(), _push });
        shard.begin_typing().await;
        Ok(())
    }

    async fn prepare(&self, _log: LogId) {
        // Rooms are loaded when they are first spoken to: a few point reads each. There is nothing to read ahead.
    }

    async fn close(&self, log: LogId) {
        let owned = self.inner.shards.write().remove(&log.shard);
        if let Some(Owned { shard, _push }) = owned {
            drop(_push);
            shard.close().await;
        }
    }
}
