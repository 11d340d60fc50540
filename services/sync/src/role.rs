//! Builds and runs the role.

use std::sync::Arc;

use banyan_bus::Bus;
use banyan_core::{Clock, ShardCount};
use banyan_log::Logs;
use banyan_proto::sync::sync_service_server::SyncServiceServer;
use banyan_rooms::reader::RoomReader;
use banyan_users::UserReader;
use tokio_util::sync::CancellationToken;

use crate::{
    app::sync::Syncs,
    calls::{Acknowledge, AskOwners},
    config::SyncConfig,
    metrics::Metrics,
    rpc::SyncRpc,
    source::Source,
    tails::{Tails, follow},
};

/// What the role works with.
#[derive(Clone)]
pub struct Parts {
    /// Logs to follow.
    pub logs: Logs,
    /// Where it is heard what owners keep in memory alone.
    pub bus: Arc<dyn Bus>,
    /// Rooms.
    pub rooms: RoomReader,
    /// Users.
    pub users: UserReader,
    /// Whom to tell what devices got.
    pub owner: Arc<dyn Acknowledge>,
    /// Whom to ask for what was not heard.
    pub ask: Arc<dyn AskOwners>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How many shards each kind of log has.
    pub shards: ShardCount,
}

/// The role in this process.
pub struct SyncRole {
    parts: Parts,
    config: SyncConfig,
    tails: Arc<Tails>,
    syncs: Arc<Syncs>,
}

impl std::fmt::Debug for SyncRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncRole").field("shards", &self.parts.shards).field("config", &self.config).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("shards", &self.shards).finish_non_exhaustive()
    }
}

impl SyncRole {
    /// The role; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts, config: SyncConfig) -> Self {
        let metrics = Metrics::default();
        let tails = Tails::new(parts.shards, parts.clock.clone(), &config, metrics.clone());
        let source = Source::new(parts.rooms.clone(), parts.users.clone(), parts.shards);
        let syncs = Arc::new(Syncs::new(tails.clone(), source, parts.owner.clone(), parts.clock.clone(), config.clone(), metrics));
        Self { parts, config, tails, syncs }
    }

    /// The gRPC service, for the process's server.
    #[must_use]
    pub fn service(&self) -> SyncServiceServer<SyncRpc> {
        let limit = banyan_runtime::MAX_MESSAGE_BYTES;
        SyncServiceServer::new(SyncRpc::new(self.syncs.clone())).max_decoding_message_size(limit)
    }

    /// Ends long polls: to be called when the process stops to take requests.
    pub fn drain(&self) {
        self.syncs.drain();
    }

    /// Follows the logs until `stop`. Syncs are answered from the first moment: they wait for the positions they need.
    pub async fn run(&self, stop: CancellationToken) {
        follow::run(self.tails.clone(), &self.parts, self.config.start_entries, stop).await;
    }
}
