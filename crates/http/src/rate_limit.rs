//! Requests per second, per caller. Memory is bounded: the callers that were seen least recently are forgotten, and start anew.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use governor::{
    Quota,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::sync::Cache;
use opentelemetry::metrics::Counter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often something may be done: `burst` times at once, then `per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests per second in the long run. 0 switches the limit off.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

impl Rate {
    /// Without a limit.
    pub const UNLIMITED: Self = Self { per_second: 0.0, burst: 0 };

    /// `per_second` in the long run, `burst` at once.
    #[must_use]
    pub const fn new(per_second: f64, burst: u32) -> Self {
        Self { per_second, burst }
    }

    fn quota(self) -> Option<Quota> {
        if !self.per_second.is_finite() || self.per_second <= 0.0 {
            return None;
        }
        let period = Duration::try_from_secs_f64(1.0 / self.per_second).ok()?;
        let burst = NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN);
        Some(Quota::with_period(period.max(Duration::from_nanos(1)))?.allow_burst(burst))
    }
}

/// The injected clock as governor wants it.
#[derive(Clone)]
struct GovernorClock(Arc<dyn Clock>);

impl governor::clock::Clock for GovernorClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Bucket = governor::RateLimiter<NotKeyed, InMemoryState, GovernorClock, NoOpMiddleware<Duration>>;

/// A rate for each kind `K` of request, kept for each caller.
pub struct RateLimiter<K> {
    quotas: BTreeMap<K, Quota>,
    buckets: Cache<(K, String), Arc<Bucket>>,
    clock: GovernorClock,
    refused: Counter<u64>,
}

impl<K> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("callers", &self.buckets.entry_count()).finish_non_exhaustive()
    }
}

impl<K: Ord + std::hash::Hash + Copy + Send + Sync + 'static> RateLimiter<K> {
    /// Limits by kind; at most `max_callers` are remembered. Kinds without a rate, or with an unlimited one, are let through.
    #[must_use]
    pub fn new(rates: impl IntoIterator<Item = (K, Rate)>, max_callers: u64, clock: Arc<dyn Clock>) -> Self {
        let quotas = rates.into_iter().filter_map(|(kind, rate)| Some((kind, rate.quota()?))).collect();
        let buckets: Cache<(K, String), Arc<Bucket>> =
            Cache::builder().max_capacity(max_callers).time_to_idle(Duration::from_secs(3600)).build();
        let meter = opentelemetry::global::meter("banyan");
        let refused =
            meter.u64_counter("banyan.http.rate_limited").with_description("Requests that were refused as too many").build();
        let observed = buckets.clone();
        meter
            .u64_observable_gauge("banyan.http.rate_limited_callers")
            .with_description("Callers and kinds of requests whose rate is remembered")
            .with_callback(move |observer| observer.observe(observed.entry_count(), &[]))
            .build();
        Self { quotas, buckets, clock: GovernorClock(clock), refused }
    }

    /// Takes one request of `caller` into account.
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED with the time after which one more will be let through.
    pub fn check(&self, kind: K, caller: &str) -> Result<(), ServiceError> {
        let Some(quota) = self.quotas.get(&kind) else { return Ok(()) };
        let make = || Arc::new(Bucket::direct_with_clock(*quota, self.clock.clone()));
        let bucket = self.buckets.get_with((kind, caller.to_owned()), make);
        bucket.check().map_err(|not_until| {
            self.refused.add(1, &[]);
            let wait = not_until.wait_time_from(governor::clock::Clock::now(&self.clock));
            ServiceError::limit_exceeded("Too many requests", wait.max(Duration::from_millis(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::{ManualClock, TimestampMicros};

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let clock = ManualClock::new(TimestampMicros(0));
        let limiter = RateLimiter::new([(1, Rate::new(2.0, 3))], 100, Arc::new(clock.clone()));
        for _ in 0..3 {
            limiter.check(1, "@a:x").unwrap();
        }
        let error = limiter.check(1, "@a:x").unwrap_err();
        assert_eq!(error.errcode.as_deref(), Some("M_LIMIT_EXCEEDED"));
        assert_eq!(error.retry_after, Some(Duration::from_millis(500)));
        limiter.check(1, "@b:x").unwrap();
        clock.advance(Duration::from_millis(500));
        limiter.check(1, "@a:x").unwrap();
        assert!(limiter.check(1, "@a:x").is_err());
    }

    #[test]
    fn kinds_without_a_rate_are_let_through() {
        let limiter = RateLimiter::new([(1, Rate::UNLIMITED)], 100, Arc::new(ManualClock::new(TimestampMicros(0))));
        for _ in 0..1000 {
            limiter.check(1, "@a:x").unwrap();
            limiter.check(2, "@a:x").unwrap();
        }
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = RateLimiter::new([(1, Rate::new(1.0, 1))], 50, Arc::new(ManualClock::new(TimestampMicros(0))));
        for n in 0..5000 {
            let _ = limiter.check(1, &n.to_string());
        }
        limiter.buckets.run_pending_tasks();
        assert!(limiter.buckets.entry_count() <= 50);
    }
}
