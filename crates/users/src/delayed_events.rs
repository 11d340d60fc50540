//! Delayed events (MSC4140): events that their users' server sends later.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use banyan_proto::users::{DelayedStanding, DelayedState};
use bytes::Bytes;

use crate::to_device::message_id;

/// The largest content, in bytes: as much as an event may have.
pub const MAX_CONTENT: usize = 64 * 1024;
/// The longest type or state key, in bytes (specification, "Size limits").
pub const MAX_KEY: usize = 255;
/// Delayed events of one shard that wait at most, whosever they are: the owner of the shard has them in memory.
pub const MAX_PER_SHARD: usize = 20_000;
/// Finalised ones of a user that are remembered at most.
pub const MAX_FINALISED: usize = 100;
/// How long they are.
pub const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The hash of a client's transaction: 16 bytes. `scope` is what its id is unique within.
#[must_use]
pub fn transaction(device_id: &str, scope: &str, txn_id: &str) -> Bytes {
    message_id("delayed", device_id, scope, txn_id)
}

/// When it is due, in milliseconds since the Unix epoch.
#[must_use]
pub const fn due(standing: &DelayedStanding) -> i64 {
    standing.running_since.saturating_add(standing.delay)
}

/// Whether something is still to be done about it.
#[must_use]
pub fn is_open(standing: &DelayedStanding) -> bool {
    matches!(standing.state(), DelayedState::Scheduled | DelayedState::Sending)
}

/// Whether a finalised one is too old to be told of at `now` (milliseconds).
#[must_use]
pub fn is_over(standing: &DelayedStanding, now: i64) -> bool {
    let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
    !is_open(standing) && standing.finalised.saturating_add(remembered) <= now
}

/// The ids of those finalised that are to be forgotten at `now` (milliseconds): old ones, and the oldest where there are many.
#[must_use]
pub fn forgettable(standings: &BTreeMap<String, DelayedStanding>, now: i64) -> Vec<String> {
    let mut finalised: Vec<_> = standings.iter().filter(|(_, standing)| !is_open(standing)).collect();
    finalised.sort_by_key(|(_, standing)| Reverse(standing.finalised));
    let goes = |(n, (id, standing)): (usize, (&String, &DelayedStanding))| {
        (n >= MAX_FINALISED || is_over(standing, now)).then(|| id.clone())
    };
    finalised.into_iter().enumerate().filter_map(goes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finalised(at: i64) -> DelayedStanding {
        DelayedStanding { state: DelayedState::Sent.into(), finalised: at, ..DelayedStanding::default() }
    }

    #[test]
    fn old_ones_are_forgotten_and_the_oldest_of_many() {
        let now = 10_000_000_000;
        let week = i64::try_from(REMEMBERED.as_millis()).unwrap();
        let waiting = DelayedStanding { delay: 5, running_since: 7, ..DelayedStanding::default() };
        assert_eq!((due(&waiting), is_open(&waiting), is_over(&waiting, i64::MAX)), (12, true, false));
        let mut standings = BTreeMap::from([("old".to_owned(), finalised(now - week)), ("waits".to_owned(), waiting)]);
        standings.insert("new".to_owned(), finalised(now - week + 1));
        assert_eq!(forgettable(&standings, now), ["old"]);
        for n in 0..MAX_FINALISED {
            standings.insert(format!("n{n}"), finalised(now));
        }
        assert_eq!(forgettable(&standings, now), ["new", "old"]);
    }
}
