//! Backups of room keys (specification: Client-Server API, "Server-side key backups"): their rules and bounds.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{RoomKey, RoomKeyCount, RoomKeyName, RoomKeyRow, RoomKeysChanged};
use serde_json::json;

/// Partitions that the keys of a version are spread over.
pub const BUCKETS: i64 = 16;
/// Keys that a version may have, which is some 31,000 in a partition.
pub const MAX_KEYS: u64 = 500_000;
/// Versions that a user may have at once.
pub const MAX_VERSIONS: usize = 100;
/// Bytes of a version's algorithm and `auth_data`.
pub const MAX_AUTH_DATA: usize = 60 << 10;
/// Bytes of one key's `session_data`.
pub const MAX_SESSION_DATA: usize = 60 << 10;
/// Bytes of a room id or session id.
pub const MAX_ID: usize = 255;
/// Keys that one request stores.
pub const MAX_REQUEST_KEYS: usize = 2_000;
/// Bytes of the keys that one request stores: they are one group of entries.
pub const MAX_REQUEST_BYTES: usize = 768 << 10;
/// Bytes of names and keys in an entry, unless there is one only.
const ENTRY_BYTES: usize = 64 << 10;
/// Names and keys in an entry.
const ENTRY_KEYS: usize = 500;
/// What a key costs beside its ids and its data.
const OVERHEAD: usize = 48;

/// A version of a backup, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyBackupVersion {
    /// Its number; versions are shown as text.
    pub version: u64,
    /// Its algorithm.
    pub algorithm: String,
    /// JSON object.
    pub auth_data: bytes::Bytes,
    /// Keys in it, and its etag.
    pub count: RoomKeyCount,
}

/// The number of a version as clients name it; `None` for what is none.
#[must_use]
pub fn parse_version(text: &str) -> Option<u64> {
    text.parse().ok().filter(|version: &u64| version.to_string() == text)
}

/// `M_NOT_FOUND` (404) for a version that does not exist.
#[must_use]
pub fn unknown_version() -> ServiceError {
    ServiceError::not_found("Unknown backup version")
}

/// `M_WRONG_ROOM_KEYS_VERSION` (403), which names the current version.
#[must_use]
pub fn wrong_version(current: u64) -> ServiceError {
    let error = ServiceError::matrix(ErrorCode::Forbidden, "M_WRONG_ROOM_KEYS_VERSION", "Wrong backup version.");
    error.with_extra(json!({ "current_version": current.to_string() }).to_string())
}

/// A version as a column.
#[must_use]
pub(crate) fn column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// The partition of a key among [`BUCKETS`].
#[must_use]
pub(crate) fn bucket(name: &RoomKeyName) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.room_id.as_bytes()).update(&[0]).update(name.session_id.as_bytes());
    i64::from(hasher.finalize().as_bytes()[0]) % BUCKETS
}

/// Whether a new key replaces the one that is there: what is verified beats what is not, then the lower `first_message_index`, then the
/// lower `forwarded_count`.
#[must_use]
pub fn replaces(new: &RoomKeyRow, old: &RoomKeyRow) -> bool {
    let rank = |key: &RoomKeyRow| (!key.is_verified, key.first_message_index, key.forwarded_count);
    rank(new) < rank(old)
}

/// Refuses keys that are too many or too large for one request.
///
/// # Errors
/// `M_TOO_LARGE`, and `M_INVALID_PARAM` for an id that is empty or too long.
pub fn check_request(keys: &[RoomKey]) -> Result<(), ServiceError> {
    if keys.len() > MAX_REQUEST_KEYS {
        return Err(ServiceError::too_large(format!("At most {MAX_REQUEST_KEYS} keys are stored at once")));
    }
    for key in keys {
        let name = key.name.as_ref().ok_or_else(|| ServiceError::invalid_param("A key has no name"))?;
        if [&name.room_id, &name.session_id].iter().any(|id| !(1..=MAX_ID).contains(&id.len())) {
            return Err(ServiceError::invalid_param(format!("A room id or session id is empty or longer than {MAX_ID} bytes")));
        }
        if key.key.as_ref().is_some_and(|key| key.session_data.len() > MAX_SESSION_DATA) {
            return Err(ServiceError::too_large(format!("The session_data of a key is larger than {MAX_SESSION_DATA} bytes")));
        }
    }
    if keys.iter().map(cost).sum::<usize>() > MAX_REQUEST_BYTES {
        return Err(ServiceError::too_large(format!("Keys of more than {MAX_REQUEST_BYTES} bytes cannot be stored at once")));
    }
    Ok(())
}

/// The entries that store keys, each small enough, with the count as it is after it. `added` says of each key whether it is new, and
/// does not replace another.
#[must_use]
pub fn stored(version: u64, mut count: RoomKeyCount, keys: Vec<(RoomKey, bool)>) -> Vec<RoomKeysChanged> {
    let entry = |keys: Vec<(RoomKey, bool)>| {
        count.keys += keys.iter().map(|(_, added)| u64::from(*added)).sum::<u64>();
        count.etag += 1;
        let stored = keys.into_iter().map(|(key, _)| key).collect();
        RoomKeysChanged { version, stored, removed: Vec::new(), count: Some(count) }
    };
    chunks(keys, |(key, _)| cost(key)).into_iter().map(entry).collect()
}

/// The entries that remove keys that are there, each small enough, with the count as it is after it.
#[must_use]
pub fn removed(version: u64, mut count: RoomKeyCount, names: Vec<RoomKeyName>) -> Vec<RoomKeysChanged> {
    let entry = |removed: Vec<RoomKeyName>| {
        count.keys = count.keys.saturating_sub(removed.len() as u64);
        count.etag += 1;
        RoomKeysChanged { version, stored: Vec::new(), removed, count: Some(count) }
    };
    chunks(names, name_cost).into_iter().map(entry).collect()
}

fn chunks<T>(items: Vec<T>, cost: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let mut size = 0;
    for item in items {
        let cost = cost(&item);
        match chunks.last_mut() {
            Some(chunk) if size + cost <= ENTRY_BYTES && chunk.len() < ENTRY_KEYS => {
                size += cost;
                chunk.push(item);
            }
            _ => {
                size = cost;
                chunks.push(vec![item]);
            }
        }
    }
    chunks
}

fn cost(key: &RoomKey) -> usize {
    key.name.as_ref().map_or(0, name_cost) + key.key.as_ref().map_or(0, |key| key.session_data.len())
}

fn name_cost(name: &RoomKeyName) -> usize {
    name.room_id.len() + name.session_id.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn row(is_verified: bool, first_message_index: u64, forwarded_count: u64) -> RoomKeyRow {
        RoomKeyRow { first_message_index, forwarded_count, is_verified, ..RoomKeyRow::default() }
    }

    fn key(session: usize, size: usize) -> RoomKey {
        let name = RoomKeyName { room_id: "!room:example.org".to_owned(), session_id: session.to_string() };
        RoomKey { name: Some(name), key: Some(RoomKeyRow { session_data: vec![b'x'; size].into(), ..row(true, 1, 1) }) }
    }

    #[test]
    fn verified_keys_are_better_then_earlier_ones_then_those_forwarded_less() {
        assert!(replaces(&row(true, 9, 9), &row(false, 0, 0)));
        assert!(!replaces(&row(false, 0, 0), &row(true, 9, 9)));
        assert!(replaces(&row(true, 1, 9), &row(true, 2, 0)));
        assert!(!replaces(&row(false, 2, 0), &row(false, 1, 9)));
        assert!(replaces(&row(false, 1, 0), &row(false, 1, 1)));
        assert!(!replaces(&row(true, 1, 1), &row(true, 1, 1)));
    }

    #[test]
    fn versions_are_numbers_as_they_were_given() {
        assert_eq!(parse_version("12"), Some(12));
        for none in ["", "012", "+1", "-1", "1.0", "x", "99999999999999999999999"] {
            assert_eq!(parse_version(none), None, "{none}");
        }
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let names = (0..1600).map(|n| RoomKeyName { room_id: "!r".to_owned(), session_id: n.to_string() });
        let mut sizes = [0; BUCKETS as usize];
        for name in names {
            sizes[usize::try_from(bucket(&name)).unwrap()] += 1;
        }
        assert!(sizes.iter().all(|size| (50..150).contains(size)), "{sizes:?}");
    }

    #[test]
    fn entries_are_small_whatever_is_stored_and_count_as_they_go() {
        let start = RoomKeyCount { keys: 3, etag: 7 };
        for size in [2, 700, 20_000, MAX_SESSION_DATA] {
            let keys: Vec<_> = (0..MAX_REQUEST_KEYS).map(|n| key(n, size)).take(MAX_REQUEST_BYTES / (size + 80)).collect();
            check_request(&keys).unwrap();
            let total = keys.len() as u64;
            let entries = stored(1, start, keys.into_iter().enumerate().map(|(n, key)| (key, n > 0)).collect());
            assert!(entries.iter().all(|entry| entry.encoded_len() < 90 << 10), "{size}");
            assert!(entries.iter().map(prost::Message::encoded_len).sum::<usize>() < 900 << 10, "a group is too large");
            let last = entries.last().unwrap().count.unwrap();
            assert_eq!(last, RoomKeyCount { keys: 3 + total - 1, etag: 7 + entries.len() as u64 });
        }
        let names = (0..1200).map(|n| key(n, 0).name.unwrap()).collect();
        let entries = removed(1, RoomKeyCount { keys: 1200, etag: 1 }, names);
        let left: Vec<_> = entries.iter().map(|entry| entry.count.unwrap().keys).collect();
        assert_eq!(left, [700, 200, 0]);
    }

    #[test]
    fn requests_are_bounded() {
        let code = |keys: &[RoomKey]| check_request(keys).unwrap_err().errcode.unwrap();
        assert_eq!(code(&(0..=MAX_REQUEST_KEYS).map(|n| key(n, 2)).collect::<Vec<_>>()), "M_TOO_LARGE");
        assert_eq!(code(&[key(1, MAX_SESSION_DATA + 1)]), "M_TOO_LARGE");
        assert_eq!(code(&(0..14).map(|n| key(n, MAX_SESSION_DATA)).collect::<Vec<_>>()), "M_TOO_LARGE");
        let named =
            |session_id: String| RoomKey { name: Some(RoomKeyName { room_id: "!r".to_owned(), session_id }), ..RoomKey::default() };
        assert_eq!(code(&[named(String::new())]), "M_INVALID_PARAM");
        assert_eq!(code(&[named("x".repeat(MAX_ID + 1))]), "M_INVALID_PARAM");
    }
}
