//! Wrong passwords: how many an account bears, and when it may be tried again. Kept by the owner of the user's shard, so it holds
//! whatever replica of client-api is asked; another owner begins anew.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_tenants::config::RateLimits;
use moka::sync::Cache;
use parking_lot::Mutex;

/// Accounts that are remembered at most.
const MAX_ACCOUNTS: u64 = 100_000;
/// How long an account is remembered after its last try; until then every bucket of a sensible limit is full again.
const FORGET: Duration = Duration::from_secs(3600);

/// Tries by account.
pub(crate) struct Attempts {
    accounts: Cache<String, Arc<Mutex<Bucket>>>,
    clock: Arc<dyn Clock>,
}

/// Tries that are left, as of a point of the monotonic clock.
struct Bucket {
    left: f64,
    at: Duration,
}

/// A try that is under way and counts as failed until it is forgiven.
pub(crate) struct Attempt(Option<Arc<Mutex<Bucket>>>);

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { accounts: Cache::builder().max_capacity(MAX_ACCOUNTS).time_to_idle(FORGET).build(), clock }
    }

    /// Takes a try. It is taken before the password is looked at, so that many at once are no more than one after the other.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED`, with the time until the next try.
    pub(crate) fn begin(&self, user_id: &str, limits: &RateLimits) -> Result<Attempt, ServiceError> {
        if !limits.enabled {
            return Ok(Attempt(None));
        }
        let (rate, now) = (limits.failed_login, self.clock.monotonic());
        let full = || Arc::new(Mutex::new(Bucket { left: f64::from(rate.burst), at: now }));
        let account = self.accounts.get_with_by_ref(user_id, full);
        let mut bucket = account.lock();
        let gained = now.saturating_sub(bucket.at).as_secs_f64() * rate.per_second;
        *bucket = Bucket { left: (bucket.left + gained).min(f64::from(rate.burst)), at: now.max(bucket.at) };
        if bucket.left < 1.0 {
            let wait = Duration::try_from_secs_f64((1.0 - bucket.left) / rate.per_second).unwrap_or(FORGET);
            return Err(ServiceError::limit_exceeded("Too many failed logins", wait));
        }
        bucket.left -= 1.0;
        drop(bucket);
        Ok(Attempt(Some(account)))
    }
}

impl Attempt {
    /// The password was right: the try does not count.
    pub(crate) fn forgive(self) {
        if let Some(account) = self.0 {
            account.lock().left += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::{ErrorCode, ManualClock, TimestampMicros};
    use banyan_tenants::config::RateLimit;

    use super::*;

    const USER: &str = "@a:example.org";

    fn limits() -> RateLimits {
        RateLimits { failed_login: RateLimit { per_second: 0.1, burst: 2 }, ..RateLimits::default() }
    }

    #[test]
    fn wrong_passwords_run_out_and_come_back() {
        let clock = ManualClock::new(TimestampMicros(0));
        let attempts = Attempts::new(Arc::new(clock.clone()));
        for _ in 0..2 {
            attempts.begin(USER, &limits()).expect("a try");
        }
        let error = attempts.begin(USER, &limits()).err().expect("none is left");
        assert_eq!((error.code, error.retry_after), (ErrorCode::Overloaded, Some(Duration::from_secs(10))));
        assert!(attempts.begin("@b:example.org", &limits()).is_ok(), "others are others");
        clock.advance(Duration::from_secs(11));
        assert!(attempts.begin(USER, &limits()).is_ok() && attempts.begin(USER, &limits()).is_err());
    }

    #[test]
    fn right_passwords_cost_nothing_and_limits_can_be_off() {
        let attempts = Attempts::new(Arc::new(ManualClock::new(TimestampMicros(0))));
        for _ in 0..9 {
            attempts.begin(USER, &limits()).expect("a try").forgive();
        }
        let off = RateLimits { enabled: false, ..limits() };
        assert!((0..9).all(|_| attempts.begin(USER, &off).is_ok()));
    }
}
