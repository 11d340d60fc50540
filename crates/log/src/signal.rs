//! A value that others wait for. Like tokio's `watch`, but waiters wake in the order they came, so that a simulation repeats exactly.

use std::pin::pin;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A value and who waits for it to change.
#[derive(Debug)]
pub(crate) struct Signal<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Clone> Signal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    pub(crate) fn get(&self) -> T {
        self.value.lock().clone()
    }

    pub(crate) fn set(&self, value: T) {
        *self.value.lock() = value;
        self.changed.notify_waiters();
    }

    /// Resolves with the first value seen that `is` accepts.
    pub(crate) async fn wait_for(&self, is: impl Fn(&T) -> bool) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let value = self.get();
            if is(&value) {
                return value;
            }
            changed.await;
        }
    }
}
