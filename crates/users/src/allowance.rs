//! How often something may be done, whatever replica is asked: rates that hold for all of them together, in conditional rows. For what
//! is rare and has to be limited exactly; everything else is counted by each replica.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_proto::users::AllowanceRow;
use banyan_store::{Store, key};

use crate::{
    conditional::{Change, ConditionalRows},
    tables::ALLOWANCE,
};

/// The longest that a row is kept; by then it says nothing any more.
const FORGET: Duration = Duration::from_secs(24 * 3600);

/// Counts.
#[derive(Clone)]
pub struct Allowances {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Allowances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Allowances")
    }
}

impl Allowances {
    /// Counts in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { rows: ConditionalRows::new(store, &ALLOWANCE), clock }
    }

    /// Counts that `what` is done once more by, or to, `whom`: `burst` times at once, then `per_second`.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` with the time until the next; or the store failed.
    pub async fn take(&self, tenant: &str, what: &str, whom: &str, per_second: f64, burst: u32) -> Result<(), ServiceError> {
        let now = self.clock.now().0;
        let full = f64::from(burst);
        let change = |row: Option<AllowanceRow>| {
            let row = row.unwrap_or(AllowanceRow { left: full, at: now });
            let passed = Duration::from_micros(u64::try_from(now - row.at).unwrap_or(0));
            let left = (row.left + passed.as_secs_f64() * per_second).min(full);
            if left < 1.0 {
                let wait = Duration::try_from_secs_f64((1.0 - left) / per_second).unwrap_or(FORGET);
                return Err(ServiceError::limit_exceeded("Too many at once; please wait", wait.min(FORGET)));
            }
            let left = left - 1.0;
            let whole = Duration::try_from_secs_f64((full - left) / per_second).unwrap_or(FORGET);
            Ok(Change::Put(AllowanceRow { left, at: now.max(row.at) }, whole.min(FORGET), ()))
        };
        self.rows.update(&key![tenant, what, whom], change).await
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::{ManualClock, TimestampMicros};
    use banyan_store::memory::MemoryStore;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn replicas_count_together() {
        let clock = Arc::new(ManualClock::new(TimestampMicros(1_000_000)));
        let store = Arc::new(MemoryStore::new(&[&ALLOWANCE], clock.clone(), 1).expect("a store"));
        let replicas = [(); 2].map(|()| Allowances::new(store.clone(), clock.clone()));
        let take = |n: usize| replicas[n % 2].take("one", "mail", "a@b.c", 0.01, 3);
        let outcomes = join_all((0..6).map(take)).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
        let error = take(0).await.expect_err("none is left");
        assert_eq!((error.errcode.as_deref(), error.retry_after), (Some("M_LIMIT_EXCEEDED"), Some(Duration::from_secs(100))));
        assert!(replicas[0].take("two", "mail", "a@b.c", 0.01, 3).await.is_ok(), "another tenant's is another");
        assert!(replicas[0].take("one", "login", "a@b.c", 0.01, 3).await.is_ok(), "and so is another deed's");
        clock.advance(Duration::from_secs(101));
        assert!(take(1).await.is_ok() && take(0).await.is_err());
    }
}
