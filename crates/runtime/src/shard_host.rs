//! What a role that owns shards implements; the rest of ownership is not its business.

use std::sync::Arc;

use async_trait::async_trait;
use banyan_core::{LogId, LogKind, ServiceError};
use banyan_log::{Applier, OwnedLog};

/// A role's side of ownership. The runtime decides which logs this process owns, claims them, and calls this.
///
/// For one log the calls come one at a time: `prepare` any number of times, then `open`, then `close`.
#[async_trait]
pub trait ShardHost: Send + Sync + 'static {
    /// The kind of log this role owns.
    fn kind(&self) -> LogKind;

    /// Turns the log's entries into rows.
    fn applier(&self) -> Arc<dyn Applier>;

    /// This process owns the log now: load what is needed and begin to answer commands for it. Until this returns callers are told to
    /// come back. On an error the log is released and claimed again later.
    async fn open(&self, log: OwnedLog) -> Result<(), ServiceError>;

    /// The log will probably come here soon: read its tail and warm memory. Advice only; a later `open` must not rely on it.
    async fn prepare(&self, log: LogId);

    /// The log is lost or handed over, and refuses what is proposed from now on: stop answering for it, let commands under way end with
    /// `NotOwner`, and drop all memory of it. The next owner may have begun already.
    async fn close(&self, log: LogId);
}
