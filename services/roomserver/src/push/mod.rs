//! Whom the events of rooms notify (client-server specification, "Receiving notifications").
//!
//! Each shard's owner follows its own log and checks push rules on what arrives, beside the turns of rooms, which wait for nothing of it.
//! What comes of it are entries of the same log: so counts have positions that the tokens of syncs name already, one writer, and rows
//! that a new owner goes on from. An event is judged once for everybody who has the default rules ([`rules`]), and again only for those
//! who differ: who have rules of their own or ignore people ([`audience`]), who are mentioned, who are invited.

mod audience;
mod follow;
mod judge;
mod rules;
mod tally;
mod watch;

use std::sync::Arc;

use banyan_core::ShardCount;
use banyan_log::{Logs, OwnedLog};
use tokio_util::task::AbortOnDropHandle;

use self::audience::Audiences;
use crate::{actor::Shard, parts::Shared};

/// What checking takes, for all shards of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Push {
    logs: Logs,
    shards: ShardCount,
    audiences: Arc<Audiences>,
}

impl Push {
    pub(crate) fn new(logs: Logs, shared: &Shared) -> Self {
        let audiences = Audiences::new(shared.reader.clone(), shared.users.clone(), shared.tenants.clone());
        Self { logs, shards: shared.shards, audiences: Arc::new(audiences) }
    }

    /// Checks what arrives in a shard, for as long as the handle is held.
    pub(crate) fn start(&self, shard: Arc<Shard>) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(follow::run(self.clone(), shard)))
    }

    /// Notices what users change of their rules, for as long as the handle is held.
    pub(crate) fn watch(&self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(watch::run(self.logs.clone(), self.shards, self.audiences.clone())))
    }
}

/// The follower's name, for its cursor.
const FOLLOWER: &str = "push";

/// The log of a shard, as the follower proposes to it.
fn log_of(shard: &Shard) -> &OwnedLog {
    &shard.log
}
