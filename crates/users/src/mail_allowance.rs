//! How many mails an address may be sent: whoever asks, from wherever, and whatever replica. Conditional rows, shared by all of them.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_proto::users::MailAllowanceRow;
use banyan_store::{Store, key};

use crate::{
    conditional::{Change, ConditionalRows},
    tables::MAIL_ALLOWANCE,
};

/// The longest that a row is kept; by then it says nothing any more.
const FORGET: Duration = Duration::from_secs(24 * 3600);

/// Counts mails by address.
#[derive(Clone)]
pub struct MailAllowances {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for MailAllowances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailAllowances")
    }
}

impl MailAllowances {
    /// Counts in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { rows: ConditionalRows::new(store, &MAIL_ALLOWANCE), clock }
    }

    /// Takes a mail to a canonical address into account: `burst` at once, then `per_second`.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` with the time until the next; or the store failed.
    pub async fn take(&self, tenant: &str, address: &str, per_second: f64, burst: u32) -> Result<(), ServiceError> {
        let now = self.clock.now().0;
        let full = f64::from(burst);
        let change = |row: Option<MailAllowanceRow>| {
            let row = row.unwrap_or(MailAllowanceRow { left: full, at: now });
            let passed = Duration::from_micros(u64::try_from(now - row.at).unwrap_or(0));
            let left = (row.left + passed.as_secs_f64() * per_second).min(full);
            if left < 1.0 {
                let wait = Duration::try_from_secs_f64((1.0 - left) / per_second).unwrap_or(FORGET);
                return Err(ServiceError::limit_exceeded("This address was sent many mails; please wait", wait.min(FORGET)));
            }
            let left = left - 1.0;
            let whole = Duration::try_from_secs_f64((full - left) / per_second).unwrap_or(FORGET);
            Ok(Change::Put(MailAllowanceRow { left, at: now.max(row.at) }, whole.min(FORGET), ()))
        };
        self.rows.update(&key![tenant, address], change).await
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::{ManualClock, TimestampMicros};
    use banyan_store::memory::MemoryStore;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn an_address_is_sent_so_many_and_then_now_and_then() {
        let clock = Arc::new(ManualClock::new(TimestampMicros(1_000_000)));
        let store = Arc::new(MemoryStore::new(&[&MAIL_ALLOWANCE], clock.clone(), 1).expect("a store"));
        let replicas = [(); 2].map(|()| MailAllowances::new(store.clone(), clock.clone()));
        let take = |n: usize| replicas[n % 2].take("one", "a@b.c", 0.01, 3);
        let outcomes = join_all((0..6).map(take)).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
        let error = take(0).await.expect_err("none is left");
        assert_eq!((error.errcode.as_deref(), error.retry_after), (Some("M_LIMIT_EXCEEDED"), Some(Duration::from_secs(100))));
        assert!(replicas[0].take("two", "a@b.c", 0.01, 3).await.is_ok(), "another tenant's is another");
        clock.advance(Duration::from_secs(101));
        assert!(take(1).await.is_ok() && take(0).await.is_err());
    }
}
