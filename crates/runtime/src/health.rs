//! What is ready and what is not. Served by [`crate::admin`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use parking_lot::RwLock;
use serde::Serialize;

/// How much a part matters to readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Without it the process should get no requests.
    Required,
    /// Without it the process is slower; it stays ready.
    Degrading,
}

/// The state of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: a role, `store`, `bus`, …
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// How much it matters.
    pub weight: Weight,
    /// Why it is not ready; empty if it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The answer of `/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every required part is ready.
    pub ready: bool,
    /// Required parts that are not ready.
    pub not_ready: Vec<Check>,
    /// All parts.
    pub checks: Vec<Check>,
}

/// The state of every part of a process. Clones share it.
#[derive(Clone, Default)]
pub struct Health(Arc<RwLock<BTreeMap<String, State>>>);

/// How much a part matters, and why it is not ready if it is not.
type State = (Weight, Option<String>);

impl Health {
    /// No parts yet, and ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, not ready at first. Its state is set through the answer.
    #[must_use]
    pub fn register(&self, name: impl Into<String>, weight: Weight) -> Part {
        let name = name.into();
        self.0.write().insert(name.clone(), (weight, Some("starting".to_owned())));
        Part { health: self.clone(), name }
    }

    /// The state of all parts.
    #[must_use]
    pub fn report(&self) -> Report {
        let checks: Vec<Check> =
            self.0.read().iter().map(|(name, (weight, reason))| check(name, *weight, reason.as_deref())).collect();
        let not_ready: Vec<Check> =
            checks.iter().filter(|check| !check.ready && check.weight == Weight::Required).cloned().collect();
        Report { ready: not_ready.is_empty(), not_ready, checks }
    }
}

fn check(name: &str, weight: Weight, reason: Option<&str>) -> Check {
    Check { name: name.to_owned(), ready: reason.is_none(), weight, reason: reason.unwrap_or_default().to_owned() }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}

/// One part's handle on its state. Clones share it.
#[derive(Clone, Debug)]
pub struct Part {
    health: Health,
    name: String,
}

impl Part {
    /// It is ready.
    pub fn ready(&self) {
        self.set(None);
    }

    /// It is not ready, and why.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Ready if `Ok`, else not for the error's reason.
    pub fn set_result<T, E: fmt::Display>(&self, result: &Result<T, E>) {
        self.set(result.as_ref().err().map(ToString::to_string));
    }

    fn set(&self, reason: Option<String>) {
        let mut parts = self.health.0.write();
        let Some((_, state)) = parts.get_mut(&self.name) else { return };
        if *state != reason {
            // A reason that changes while a part gets ready (how many shards are missing) is for whoever asks, not for the log.
            match (&state, &reason) {
                (_, None) => tracing::info!(part = self.name, "ready"),
                (None, Some(reason)) => tracing::warn!(part = self.name, reason, "not ready"),
                (Some(_), Some(reason)) => tracing::debug!(part = self.name, reason, "not ready"),
            }
            *state = reason;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_required_parts_decide() {
        let health = Health::new();
        let (store, bus) = (health.register("store", Weight::Required), health.register("bus", Weight::Degrading));
        assert_eq!(health.report().not_ready[0].reason, "starting");
        store.ready();
        let report = health.report();
        assert!(report.ready && report.checks.iter().any(|check| check.name == "bus" && !check.ready));
        bus.ready();
        store.not_ready("no answer");
        let report = health.report();
        assert!(!report.ready);
        assert_eq!(report.not_ready.len(), 1);
        assert_eq!((report.not_ready[0].name.as_str(), report.not_ready[0].reason.as_str()), ("store", "no answer"));
    }
}
