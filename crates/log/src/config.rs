//! Limits and intervals.

use std::time::Duration;

use banyan_store::check;

/// Limits and intervals of logs. The default is what the design says; tests shorten buckets and waits.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Entries per bucket. Part of the data's format: must never change for an installation.
    pub bucket_len: u64,
    /// Entries per batch, at most 256.
    pub max_batch_entries: usize,
    /// Bytes per batch, at most 1 MiB.
    pub max_batch_bytes: usize,
    /// Entries per atomic group.
    pub max_group_entries: usize,
    /// Bytes per atomic group.
    pub max_group_bytes: usize,
    /// Bytes per entry, with its header.
    pub max_entry_bytes: usize,
    /// Entries that may wait for their place.
    pub max_queue_entries: usize,
    /// Bytes that may wait for their place.
    pub max_queue_bytes: usize,
    /// How long after its beginning an append or head check allows answers from memory.
    pub lease: Duration,
    /// How far behind `applied` rows count as synced by a store that syncs in the background.
    pub safe_lag: Duration,
    /// How often an owner says where it is.
    pub beacon_interval: Duration,
    /// How often progress is stored, if there was any.
    pub progress_interval: Duration,
    /// How often an owner looks for buckets to drop and compares its clock with the store's.
    pub upkeep_interval: Duration,
    /// How long a follower hears nothing before it asks the store.
    pub silence: Duration,
    /// Entries younger than this are never dropped.
    pub retention_min: Duration,
    /// Entries older than this are dropped even if a registered follower has not seen them.
    pub retention_max: Duration,
    /// How long request ids are known.
    pub request_memory: Duration,
    /// Request ids kept in memory per log; older ones are looked up in the store.
    pub request_memory_entries: usize,
    /// How far the process's clock and the store's may differ.
    pub max_clock_skew: Duration,
    /// How long a batch's outcome may stay unknown before the log is given up and must be claimed again.
    pub give_up_after: Duration,
    /// How long a claim may take.
    pub claim_timeout: Duration,
    /// Rules broken on purpose, to prove that the simulation notices.
    #[cfg(test)]
    pub(crate) sabotage: Option<crate::sim::Sabotage>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            bucket_len: check::BUCKET,
            max_batch_entries: check::MAX_APPEND_ROWS,
            max_batch_bytes: check::MAX_APPEND,
            max_group_entries: 250,
            max_group_bytes: 900 * 1024,
            max_entry_bytes: check::MAX_ENTRY,
            max_queue_entries: 2048,
            max_queue_bytes: 4 * 1024 * 1024,
            lease: Duration::from_secs(2),
            safe_lag: Duration::from_secs(15),
            beacon_interval: Duration::from_millis(500),
            progress_interval: Duration::from_secs(1),
            upkeep_interval: Duration::from_secs(60),
            silence: Duration::from_secs(2),
            retention_min: Duration::from_secs(60 * 60),
            retention_max: Duration::from_secs(7 * 24 * 60 * 60),
            request_memory: Duration::from_secs(60 * 60),
            request_memory_entries: 16 * 1024,
            max_clock_skew: Duration::from_secs(5),
            give_up_after: Duration::from_secs(10),
            claim_timeout: Duration::from_secs(10),
            #[cfg(test)]
            sabotage: None,
        }
    }
}
