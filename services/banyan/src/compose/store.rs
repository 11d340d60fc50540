//! Opens the store with the tables of every crate.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy};
use banyan_runtime::Shutdown;
use banyan_store::{Store, StoreConfig, StoreError, Table};

/// How long to wait before an unreachable store is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Every table of Banyan. A process of one role has them all too: the schema belongs to the installation.
pub(super) fn tables() -> &'static [&'static Table] {
    let all = [
        banyan_runtime::TABLES,
        banyan_log::tables::ALL,
        banyan_tenants::TABLES,
        banyan_users::TABLES,
        banyan_rooms::tables::TABLES,
        banyan_sync::TABLES,
    ];
    Vec::leak(all.concat())
}

/// Opens the store. One that does not answer yet is waited for: the parts of an installation may start in any order.
pub(super) async fn open(
    config: &StoreConfig,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    shutdown: &Shutdown,
) -> Result<Arc<dyn Store>, StoreError> {
    let tables = tables();
    loop {
        let error = match banyan_store::open(config.clone(), tables, clock.clone(), entropy.clone()).await {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_))) => error,
            opened => return opened,
        };
        tracing::warn!(%error, "waiting for the store");
        tokio::select! {
            () = shutdown.triggered().cancelled_owned() => return Err(error),
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_tables_share_a_name() {
        let names: BTreeSet<_> = tables().iter().map(|table| table.name).collect();
        assert_eq!(names.len(), tables().len());
    }
}
