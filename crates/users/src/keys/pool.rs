//! A device's one-time and fallback keys. One-time keys have positions in the order they came; a claim takes the lowest that is left.

use std::collections::BTreeMap;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{FallbackKey, KeyPool, KeyPoolFilled, OneTimeKey};
use serde_json::Value;

use super::upload::UploadedKey;

/// Unclaimed one-time keys of one algorithm that a device may have.
pub const MAX_UNCLAIMED: u64 = 1000;
/// Algorithms that a device may have keys of.
pub const MAX_ALGORITHMS: usize = 8;
/// Claimed keys that are remembered, so that an upload that is repeated after its keys were claimed does not bring them back.
pub const REMEMBERED: u64 = 200;
/// Bytes of keys in one entry, which has the pool beside them.
const MAX_ENTRY_KEYS: usize = 40 * 1024;

/// What is told to the device's client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Unclaimed one-time keys by algorithm, 0 where there were some.
    pub one_time: BTreeMap<String, u64>,
    /// Algorithms of fallback keys that nobody was given yet, in order.
    pub unused_fallback: Vec<String>,
}

/// What a claim takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The one-time key at this position.
    OneTime(u64),
    /// The fallback key.
    Fallback(FallbackKey),
}

/// The counts of a pool.
#[must_use]
pub fn counts(pool: &KeyPool) -> KeyCounts {
    let one_time = pool.one_time.iter().map(|(algorithm, keys)| (algorithm.clone(), keys.next.saturating_sub(keys.claimed_upto)));
    let unused = pool.fallback.iter().filter(|(_, key)| !key.used).map(|(algorithm, _)| algorithm.clone());
    let mut unused_fallback: Vec<_> = unused.collect();
    unused_fallback.sort_unstable();
    KeyCounts { one_time: one_time.collect(), unused_fallback }
}

/// The keys of an upload that are new, with their positions. `known` are the pool's keys, with those that are remembered.
///
/// # Errors
/// `M_UNKNOWN` (400) where the id of an unclaimed key has another content, `M_TOO_LARGE` beyond [`MAX_UNCLAIMED`] and [`MAX_ALGORITHMS`].
pub fn new_keys(pool: &KeyPool, known: &[OneTimeKey], uploaded: Vec<UploadedKey>) -> Result<Vec<OneTimeKey>, ServiceError> {
    let known: BTreeMap<(&str, &str), &OneTimeKey> =
        known.iter().map(|key| ((key.algorithm.as_str(), key.key_id.as_str()), key)).collect();
    let mut pool = pool.clone();
    let mut new = Vec::new();
    for UploadedKey { algorithm, key_id, key } in uploaded {
        let keys = pool.one_time.entry(algorithm.clone()).or_default();
        if let Some(known) = known.get(&(algorithm.as_str(), key_id.as_str())) {
            if same(&known.key, &key) {
                continue;
            }
            if known.position >= keys.claimed_upto {
                let problem = format!("One time key {algorithm}:{key_id} already exists with another content");
                return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", problem));
            }
        }
        let position = keys.next;
        keys.next += 1;
        if keys.next - keys.claimed_upto > MAX_UNCLAIMED {
            return Err(ServiceError::too_large("The device has too many one-time keys that nobody claimed"));
        }
        new.push(OneTimeKey { algorithm, key_id, key: key.to_string().into(), position });
    }
    check_algorithms(pool.one_time.len())?;
    Ok(new)
}

/// Puts fallback keys into a pool; false if they were there already. A key that is new was given to nobody.
///
/// # Errors
/// `M_INVALID_PARAM` for two keys of one algorithm, `M_TOO_LARGE` beyond [`MAX_ALGORITHMS`].
pub fn set_fallback(pool: &mut KeyPool, uploaded: Vec<UploadedKey>) -> Result<bool, ServiceError> {
    let mut named: Vec<String> = Vec::new();
    let mut changed = false;
    for UploadedKey { algorithm, key_id, key } in uploaded {
        if named.contains(&algorithm) {
            return Err(ServiceError::invalid_param("There is one fallback key per algorithm"));
        }
        named.push(algorithm.clone());
        let old = pool.fallback.get(&algorithm);
        if !old.is_some_and(|old| old.key_id == key_id && same(&old.key, &key)) {
            pool.fallback.insert(algorithm, FallbackKey { key_id, key: key.to_string().into(), used: false });
            changed = true;
        }
    }
    check_algorithms(pool.fallback.len())?;
    Ok(changed)
}

/// The entries that bring keys: each small enough, with the pool as it is after it. There is one at least.
#[must_use]
pub fn filled(device_id: &str, mut pool: KeyPool, keys: Vec<OneTimeKey>) -> Vec<KeyPoolFilled> {
    let mut chunks: Vec<Vec<OneTimeKey>> = vec![Vec::new()];
    let mut size = 0;
    for key in keys {
        let cost = key.key.len() + key.key_id.len() + key.algorithm.len() + 16;
        if size > 0 && size + cost > MAX_ENTRY_KEYS {
            chunks.push(Vec::new());
            size = 0;
        }
        size += cost;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(key);
        }
    }
    let entry = |one_time_keys: Vec<OneTimeKey>| {
        for key in &one_time_keys {
            pool.one_time.entry(key.algorithm.clone()).or_default().next = key.position + 1;
        }
        KeyPoolFilled { device_id: device_id.to_owned(), one_time_keys, pool: Some(pool.clone()) }
    };
    chunks.into_iter().map(entry).collect()
}

/// Takes a key out of a pool; `None` if it has none of that algorithm. Whether the pool changed can be seen from it.
pub fn claim(pool: &mut KeyPool, algorithm: &str) -> Option<Claim> {
    if let Some(keys) = pool.one_time.get_mut(algorithm)
        && keys.claimed_upto < keys.next
    {
        keys.claimed_upto += 1;
        return Some(Claim::OneTime(keys.claimed_upto - 1));
    }
    let key = pool.fallback.get_mut(algorithm)?;
    key.used = true;
    Some(Claim::Fallback(key.clone()))
}

fn check_algorithms(count: usize) -> Result<(), ServiceError> {
    if count > MAX_ALGORITHMS { Err(ServiceError::too_large("A device has keys of at most 8 algorithms")) } else { Ok(()) }
}

/// Whether two keys are the same, but for signatures: a client may sign a key anew for another try.
fn same(stored: &[u8], uploaded: &Value) -> bool {
    let Ok(mut stored) = serde_json::from_slice::<Value>(stored) else { return false };
    let mut uploaded = uploaded.clone();
    for key in [&mut stored, &mut uploaded] {
        if let Value::Object(object) = key {
            object.remove("signatures");
        }
    }
    stored == uploaded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(key_id: &str, key: Value) -> UploadedKey {
        UploadedKey { algorithm: "signed".to_owned(), key_id: key_id.to_owned(), key }
    }

    fn fill(pool: &mut KeyPool, known: &mut Vec<OneTimeKey>, keys: Vec<UploadedKey>) -> Result<usize, ServiceError> {
        let new = new_keys(pool, known, keys)?;
        let count = new.len();
        for entry in filled("D", pool.clone(), new) {
            known.extend(entry.one_time_keys);
            *pool = entry.pool.unwrap();
        }
        Ok(count)
    }

    #[test]
    fn keys_are_claimed_in_order_and_then_the_fallback() {
        let (mut pool, mut known) = (KeyPool::default(), Vec::new());
        assert_eq!(claim(&mut pool, "signed"), None);
        fill(&mut pool, &mut known, vec![key("A", json!("1")), key("B", json!("2"))]).unwrap();
        assert!(set_fallback(&mut pool, vec![key("F", json!("f"))]).unwrap());
        assert!(!set_fallback(&mut pool, vec![key("F", json!("f"))]).unwrap());
        assert_eq!(counts(&pool).one_time["signed"], 2);
        assert_eq!(counts(&pool).unused_fallback, ["signed"]);
        assert_eq!(claim(&mut pool, "signed"), Some(Claim::OneTime(0)));
        assert_eq!(claim(&mut pool, "signed"), Some(Claim::OneTime(1)));
        assert_eq!(counts(&pool).one_time["signed"], 0);
        for _ in 0..2 {
            assert!(matches!(claim(&mut pool, "signed"), Some(Claim::Fallback(key)) if key.key_id == "F" && key.used));
        }
        assert!(counts(&pool).unused_fallback.is_empty());
        // The key that was used, uploaded again, stays used; another one is not.
        assert!(!set_fallback(&mut pool, vec![key("F", json!("f"))]).unwrap());
        assert!(set_fallback(&mut pool, vec![key("G", json!("g"))]).unwrap());
        assert_eq!(counts(&pool).unused_fallback, ["signed"]);
        assert!(set_fallback(&mut pool, vec![key("G", json!("g")), key("H", json!("g"))]).is_err());
    }

    #[test]
    fn an_upload_may_be_repeated_and_may_not_change_a_key() {
        let (mut pool, mut known) = (KeyPool::default(), Vec::new());
        let signed = |signature: &str| json!({"key": "k", "signatures": {"@a:x": {"ed25519:D": signature}}});
        assert_eq!(fill(&mut pool, &mut known, vec![key("A", signed("1"))]).unwrap(), 1);
        assert_eq!(fill(&mut pool, &mut known, vec![key("A", signed("2"))]).unwrap(), 0);
        let refused = fill(&mut pool, &mut known, vec![key("A", json!({"key": "other"}))]).unwrap_err();
        assert_eq!(refused.errcode.as_deref(), Some("M_UNKNOWN"));
        claim(&mut pool, "signed");
        assert_eq!(fill(&mut pool, &mut known, vec![key("A", signed("1"))]).unwrap(), 0, "a claimed key does not come back");
        assert_eq!(fill(&mut pool, &mut known, vec![key("A", json!("other"))]).unwrap(), 1);
    }

    #[test]
    fn a_pool_and_its_entries_are_bounded() {
        use prost::Message as _;
        let many = |count: usize| (0..count).map(|n| key(&format!("{n:0>200}"), json!("k".repeat(1500)))).collect::<Vec<_>>();
        let mut pool = KeyPool::default();
        assert_eq!(new_keys(&pool, &[], many(1001)).unwrap_err().errcode.as_deref(), Some("M_TOO_LARGE"));
        let entries = filled("D", pool.clone(), new_keys(&pool, &[], many(1000)).unwrap());
        assert!(entries.len() > 1 && entries.iter().all(|entry| entry.encoded_len() < 60 * 1024));
        let last = entries.last().unwrap().pool.as_ref().unwrap();
        assert_eq!(counts(last).one_time["signed"], 1000);
        let algorithms = (0..9).map(|n| UploadedKey { algorithm: format!("a{n}"), ..key("A", json!("k")) }).collect::<Vec<_>>();
        assert!(new_keys(&pool, &[], algorithms.clone()).is_err());
        assert!(set_fallback(&mut pool, algorithms).is_err());
    }
}
