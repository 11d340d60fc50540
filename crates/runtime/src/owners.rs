//! Which process owns which log, as last heard, and who waits to hear.

use std::collections::HashMap;

use banyan_core::{Epoch, LogId};
use parking_lot::RwLock;
use tokio::sync::watch;

/// What is known of the owners of logs. One entry per log, so bounded.
#[derive(Default)]
pub(crate) struct Owners {
    known: RwLock<HashMap<LogId, Known>>,
    /// Something was announced.
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    addr: Option<String>,
    /// Of the last announcement; 0 if there was none.
    epoch: Epoch,
    /// How often the log was announced.
    announced: u64,
}

impl Owners {
    pub(crate) fn get(&self, log: LogId) -> Option<String> {
        self.known.read().get(&log)?.addr.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.read().values().filter(|known| known.addr.is_some()).count()
    }

    /// Somebody says that the owner is there.
    pub(crate) fn set(&self, log: LogId, addr: &str) {
        self.known.write().entry(log).or_default().addr = Some(addr.to_owned());
    }

    /// Whoever was thought to be the owner is not.
    pub(crate) fn forget(&self, log: LogId) {
        if let Some(known) = self.known.write().get_mut(&log) {
            known.addr = None;
        }
    }

    /// The owner is not there, unless another was heard of meanwhile.
    pub(crate) fn forget_at(&self, log: LogId, addr: &str) {
        if let Some(known) = self.known.write().get_mut(&log).filter(|known| known.addr.as_deref() == Some(addr)) {
            known.addr = None;
        }
    }

    /// The owner itself says that it serves the log since `epoch`: whoever waits for it may go on. Older news is ignored.
    pub(crate) fn announce(&self, log: LogId, epoch: Epoch, addr: &str) {
        {
            let mut all = self.known.write();
            let known = all.entry(log).or_default();
            if epoch < known.epoch {
                return;
            }
            *known = Known { addr: Some(addr.to_owned()), epoch, announced: known.announced + 1 };
        }
        self.news.send_replace(());
    }

    /// How often the log was announced until now.
    pub(crate) fn announced(&self, log: LogId) -> u64 {
        self.known.read().get(&log).map_or(0, |known| known.announced)
    }

    /// Resolves once the log was announced more often than `before`.
    pub(crate) async fn announced_after(&self, log: LogId, before: u64) {
        let mut news = self.news.subscribe();
        while self.announced(log) <= before {
            if news.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::ShardId;
    use futures::FutureExt as _;

    use super::*;

    const LOG: LogId = LogId::rooms(ShardId(1));

    #[test]
    fn older_news_is_ignored_and_newer_is_not_forgotten() {
        let owners = Owners::default();
        owners.set(LOG, "a:1");
        owners.announce(LOG, Epoch(3), "b:1");
        owners.announce(LOG, Epoch(2), "a:1");
        owners.forget_at(LOG, "a:1");
        assert_eq!((owners.get(LOG).as_deref(), owners.len()), (Some("b:1"), 1));
        owners.forget_at(LOG, "b:1");
        assert_eq!((owners.get(LOG), owners.len()), (None, 0));
    }

    #[test]
    fn who_waits_for_a_log_hears_of_that_log() {
        let owners = Owners::default();
        let before = owners.announced(LOG);
        let mut waiting = Box::pin(owners.announced_after(LOG, before));
        assert!(waiting.as_mut().now_or_never().is_none());
        owners.announce(LogId::users(ShardId(1)), Epoch(1), "a:1");
        assert!(waiting.as_mut().now_or_never().is_none());
        owners.announce(LOG, Epoch(1), "a:1");
        assert!(waiting.as_mut().now_or_never().is_some());
        // News that came before one began to wait counts, too.
        assert!(owners.announced_after(LOG, before).now_or_never().is_some());
    }
}
