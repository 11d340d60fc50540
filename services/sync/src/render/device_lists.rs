//! `device_lists`, and what the device's keys come to (client-server specification, "End-to-end encryption, Extensions to /sync").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

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

impl DeviceKeys {
    /// The keys by name. A count of 0 is told, too: clients take a missing one for a server that cannot count.
    fn fields(&self) -> [(&'static str, Value); 2] {
        let mut counts = self.one_time.clone();
        counts.entry("signed_curve25519".to_owned()).or_default();
        [("device_one_time_keys_count", json!(counts)), ("device_unused_fallback_key_types", json!(self.fallback))]
    }
}

pub(super) fn lists(sink: &mut Sink, lists: &DeviceLists) {
    sink.put(b",\"device_lists\":");
    sink.put(json!({ "changed": lists.changed, "left": lists.left }).to_string().as_bytes());
}

pub(super) fn keys(sink: &mut Sink, keys: &DeviceKeys) {
    for (name, value) in keys.fields() {
        sink.put(format!(",\"{name}\":{value}").as_bytes());
    }
}

/// Both as an object of their own, where sliding sync tells them. Lists that say nothing are left out.
pub(crate) fn e2ee(lists: &DeviceLists, keys: &DeviceKeys) -> Value {
    let fields = keys.fields().map(|(name, value)| (name.to_owned(), value));
    let mut object: Map<String, Value> = fields.into_iter().collect();
    if !lists.is_empty() {
        object.insert("device_lists".to_owned(), json!({ "changed": lists.changed, "left": lists.left }));
    }
    Value::Object(object)
}
