//! A shard that this process owns: one command of a name (a user id, a registration token) at a time.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::Arc,
};

use banyan_core::{LogId, LogSeq, RequestId, ServiceError};
use banyan_log::{OwnedLog, Pending, Proposal};
use banyan_proto::users::UserEntry;
use prost::Message;
use tokio::sync::{Mutex, MutexGuard};

use crate::schedule::Schedule;

/// Names that share a lane wait for each other; more lanes only cost memory.
const LANES: u64 = 64;

/// Entries of one atomic group, at most.
pub(crate) const MAX_GROUP: usize = 200;

/// An owned shard.
pub(crate) struct Shard {
    log: OwnedLog,
    /// When its delayed events are due.
    pub(crate) schedule: Schedule,
    lanes: Vec<Mutex<Lane>>,
}

/// Names that take turns.
#[derive(Default)]
struct Lane {
    /// What an earlier command proposed and did not wait for because its caller went away. Whoever comes next waits for it: only
    /// then do the rows show what was decided.
    unfinished: Option<Pending>,
}

/// A command's turn: nobody else decides anything about its name until it is dropped.
pub(crate) struct Turn<'a> {
    shard: &'a Shard,
    lane: MutexGuard<'a, Lane>,
    hash: u64,
    tenant: Arc<str>,
    request_id: RequestId,
    /// What this command did when it was tried before; empty if it was not.
    pub(crate) earlier: Vec<UserEntry>,
}

impl Shard {
    pub(crate) fn new(log: OwnedLog) -> Self {
        Self { log, schedule: Schedule::default(), lanes: (0..LANES).map(|_| Mutex::default()).collect() }
    }

    /// Which log it is.
    pub(crate) fn id(&self) -> LogId {
        self.log.id()
    }

    /// What a request did when it was tried before, as far as it is known now; for answers that need no turn.
    ///
    /// After this, the shard's rows show everything that was ever committed: a new owner's log knows its requests only when it has
    /// applied again what the store may have lost.
    pub(crate) async fn earlier(&self, request_id: RequestId) -> Result<Vec<UserEntry>, ServiceError> {
        self.log.check_lease().await?;
        let entries = self.log.find_request(request_id).await?.unwrap_or_default();
        entries
            .into_iter()
            .map(|entry| UserEntry::decode(entry.body).map_err(|e| ServiceError::internal(format!("not a user entry: {e}"))))
            .collect()
    }

    /// Waits for the turn of a command about `name`.
    pub(crate) async fn turn(&self, name: &str, tenant: &str, request_id: RequestId) -> Result<Turn<'_>, ServiceError> {
        let hash = hash(name);
        let mut lane = self.lanes[usize::try_from(hash % LANES).unwrap_or_default()].lock().await;
        lane.finish().await?;
        let earlier = self.earlier(request_id).await?;
        Ok(Turn { shard: self, lane, hash, tenant: tenant.into(), request_id, earlier })
    }
}

impl Lane {
    /// Waits for what is under way; the outcome of an earlier command is not this one's business, unless the log was lost.
    async fn finish(&mut self) -> Result<(), ServiceError> {
        let Some(pending) = &mut self.unfinished else { return Ok(()) };
        let outcome = pending.await;
        self.unfinished = None;
        outcome.map(|_| ()).map_err(ServiceError::from)
    }
}

impl Turn<'_> {
    /// Everything below this is in the shard's rows.
    pub(crate) fn applied(&self) -> LogSeq {
        self.shard.log.applied()
    }

    /// Commits entries, all or none, at most [`MAX_GROUP`]; returns when readers see them. May be called again for what does not fit.
    pub(crate) async fn commit(&mut self, entries: Vec<UserEntry>) -> Result<(), ServiceError> {
        let group = entries.iter().map(|entry| self.proposal(entry)).collect();
        self.lane.unfinished = Some(self.shard.log.propose(group)?);
        self.lane.finish().await
    }

    fn proposal(&self, entry: &UserEntry) -> Proposal {
        Proposal {
            request_id: Some(self.request_id),
            tenant: self.tenant.clone(),
            lane: self.hash,
            body: entry.encode_to_vec().into(),
            ..Proposal::default()
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
