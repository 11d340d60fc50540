//! `device_lists`, and what the device's keys come to (client-server specification, "End-to-end encryption, Extensions to /sync").

use std::collections::{BTreeMap, BTreeSet};

use super::Sink;

/// Whose device lists a client must look at again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceLists {
    /// Users whose devices or identity changed, or who share a room with the reader now.
    pub changed: BTreeSet<String>,
    /// Users who share no room with the reader any more.
    pub left: BTreeSet<String>,
}

impl DeviceLists {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// The keys of a device that nobody has claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceKeys {
    /// One-time keys by algorithm.
    pub one_time: BTreeMap<String, u64>,
    /// Algorithms of fallback keys that were not used.
    pub fallback: Vec<String>,
}

pub(super) fn lists(sink: &mut Sink, lists: &DeviceLists) {
    sink.put(b",\"device_lists\":");
    sink.put(serde_json::json!({ "changed": lists.changed, "left": lists.left }).to_string().as_bytes());
}

/// A count of 0 is told, too: clients take a missing one for a server that cannot count.
pub(super) fn keys(sink: &mut Sink, keys: &DeviceKeys) {
    let mut counts = keys.one_time.clone();
    counts.entry("signed_curve25519".to_owned()).or_default();
    sink.put(b",\"device_one_time_keys_count\":");
    sink.put(serde_json::json!(counts).to_string().as_bytes());
    sink.put(b",\"device_unused_fallback_key_types\":");
    sink.put(serde_json::json!(keys.fallback).to_string().as_bytes());
}
