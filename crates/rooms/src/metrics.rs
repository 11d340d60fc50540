//! Gauges of this crate's caches.

use moka::sync::Cache;
use opentelemetry::global;

/// Reports the weight of `cache` as the gauge `name`, in bytes.
pub(crate) fn observe_cache<K, V>(name: &'static str, description: &'static str, cache: &Cache<K, V>)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let cache = cache.clone();
    // The meter keeps the callback; dropping the handle does not end it.
    let _ = global::meter("banyan")
        .u64_observable_gauge(name)
        .with_description(description)
        .with_unit("By")
        .with_callback(move |observer| observer.observe(cache.weighted_size(), &[]))
        .build();
}
