//! Waiting between tries.

use std::time::Duration;

use banyan_core::Clock;
use banyan_store::StoreError;

/// Waits that double.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    const LAST: Duration = Duration::from_secs(1);

    pub(crate) const fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::LAST);
    }
}

/// Whether the same operation may succeed later.
pub(crate) const fn is_transient(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::DiskFull(_))
}

/// A point in monotonic time after which one gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Duration);

impl Deadline {
    pub(crate) fn after(clock: &dyn Clock, timeout: Duration) -> Self {
        Self(clock.monotonic() + timeout)
    }

    pub(crate) fn has_passed(self, clock: &dyn Clock) -> bool {
        clock.monotonic() >= self.0
    }
}

/// Repeats an operation that may be repeated until it is answered or `deadline` has passed.
pub(crate) async fn until_answered<T, F>(
    clock: &dyn Clock,
    deadline: Deadline,
    mut operation: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::new();
    loop {
        match operation().await {
            Err(error) if is_transient(&error) && !deadline.has_passed(clock) => backoff.wait().await,
            answer => return answer,
        }
    }
}
