//! Which requests a log has seen lately, and which are under way.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use banyan_core::{LogSeq, RequestId, TimestampMicros};

/// How far the clocks of the process that made a request id and of an owner may differ, in microseconds. Owners are within 5 s of
/// the store; so is, we trust, whoever talks to them.
const SKEW: i64 = 10_000_000;

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Some of its entries wait for their place, or to be applied.
    UnderWay,
    /// Its entries are these, applied.
    At(Vec<LogSeq>),
    /// It was never seen.
    Absent,
    /// Memory does not reach back far enough: the store must be asked.
    Unsure,
}

#[derive(Default)]
struct Known {
    waiting: u32,
    /// Entries proposed so far, for their positions.
    count: u32,
    seqs: Vec<LogSeq>,
}

/// The memory of one owner.
pub(crate) struct Requests {
    known: HashMap<RequestId, Known>,
    order: VecDeque<(TimestampMicros, LogSeq, RequestId)>,
    max: usize,
    keep: Duration,
    /// Every request committed at or after this is in memory.
    complete_since: TimestampMicros,
}

impl Requests {
    /// An empty memory, which knows that it knows nothing.
    pub(crate) fn new(max: usize, keep: Duration) -> Self {
        let complete_since = TimestampMicros(i64::MAX);
        Self { known: HashMap::new(), order: VecDeque::new(), max, keep, complete_since }
    }

    /// Notes a proposal; answers its position within the request.
    pub(crate) fn reserve(&mut self, id: RequestId) -> u32 {
        let known = self.known.entry(id).or_default();
        known.waiting += 1;
        known.count += 1;
        known.count - 1
    }

    /// A reserved proposal was committed.
    pub(crate) fn commit(&mut self, id: RequestId, seq: LogSeq, at: TimestampMicros) {
        let known = self.known.entry(id).or_default();
        known.waiting = known.waiting.saturating_sub(1);
        known.seqs.push(seq);
        self.order.push_back((at, seq, id));
    }

    /// An entry of an earlier owner.
    pub(crate) fn remember(&mut self, id: RequestId, seq: LogSeq, at: TimestampMicros) {
        let known = self.known.entry(id).or_default();
        if !known.seqs.contains(&seq) {
            known.count += 1;
            known.seqs.push(seq);
            self.order.push_back((at, seq, id));
        }
    }

    /// From now on memory holds whatever was committed at or after `since`.
    pub(crate) fn complete(&mut self, since: TimestampMicros) {
        self.complete_since = since;
    }

    /// Forgets what is too old or too much and applied.
    pub(crate) fn expire(&mut self, now: TimestampMicros, applied: LogSeq) {
        while let Some((at, seq, id)) = self.order.front().copied() {
            let surplus = self.order.len() > self.max || now.since(at) > self.keep;
            let under_way = self.known.get(&id).is_some_and(|known| known.waiting > 0) || seq >= applied;
            if !surplus || under_way {
                return;
            }
            self.order.pop_front();
            self.known.remove(&id);
            if self.complete_since.0 != i64::MAX {
                self.complete_since = self.complete_since.max(TimestampMicros(at.0 + 1));
            }
        }
    }

    /// What is known of a request.
    pub(crate) fn find(&self, id: RequestId, applied: LogSeq, now: TimestampMicros) -> Found {
        match self.known.get(&id) {
            Some(known) if known.waiting > 0 || known.seqs.iter().any(|seq| *seq >= applied) => Found::UnderWay,
            Some(known) if !known.seqs.is_empty() => {
                let mut seqs = known.seqs.clone();
                seqs.sort_unstable();
                Found::At(seqs)
            }
            _ if self.is_recent(id, now) => Found::Absent,
            _ => Found::Unsure,
        }
    }

    /// Whether the request was made when memory was complete already. An id's own time is believed only if it is possible.
    fn is_recent(&self, id: RequestId, now: TimestampMicros) -> bool {
        let made = made_at(id).0;
        made > self.complete_since.0.saturating_add(SKEW) && made < now.0 + SKEW
    }
}

/// When a request id was made, by its own account.
pub(crate) fn made_at(id: RequestId) -> TimestampMicros {
    TimestampMicros(i64::try_from(id.0 >> 80).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMicros = TimestampMicros(1_000_000_000_000);

    fn made(seconds_ago: i64, n: u128) -> RequestId {
        RequestId((u128::try_from((NOW.0 - seconds_ago * 1_000_000) / 1000).unwrap() << 80) | n)
    }

    #[test]
    fn a_request_is_under_way_until_it_is_applied() {
        let mut requests = Requests::new(10, Duration::from_secs(3600));
        let id = made(0, 1);
        assert_eq!((requests.reserve(id), requests.reserve(id)), (0, 1));
        requests.commit(id, LogSeq(7), NOW);
        assert_eq!(requests.find(id, LogSeq(100), NOW), Found::UnderWay);
        requests.commit(id, LogSeq(9), NOW);
        assert_eq!(requests.find(id, LogSeq(9), NOW), Found::UnderWay);
        assert_eq!(requests.find(id, LogSeq(10), NOW), Found::At(vec![LogSeq(7), LogSeq(9)]));
    }

    #[test]
    fn absence_is_known_only_as_far_as_memory_reaches() {
        let mut requests = Requests::new(2, Duration::from_secs(3600));
        assert_eq!(requests.find(made(0, 1), LogSeq(0), NOW), Found::Unsure);
        requests.complete(TimestampMicros(NOW.0 - 60_000_000));
        assert_eq!(requests.find(made(0, 1), LogSeq(0), NOW), Found::Absent);
        assert_eq!(requests.find(made(59, 1), LogSeq(0), NOW), Found::Unsure);
        assert_eq!(requests.find(made(-3600, 1), LogSeq(0), NOW), Found::Unsure, "an id from the future proves nothing");
        for n in 0..3 {
            requests.remember(made(20, n), LogSeq(u64::try_from(n).unwrap()), TimestampMicros(NOW.0 - 20_000_000));
        }
        requests.expire(NOW, LogSeq(10));
        assert_eq!(requests.find(made(20, 0), LogSeq(10), NOW), Found::Unsure);
        assert_eq!(requests.find(made(20, 1), LogSeq(10), NOW), Found::At(vec![LogSeq(1)]));
        assert_eq!(requests.find(made(15, 7), LogSeq(10), NOW), Found::Unsure);
        assert_eq!(requests.find(made(5, 7), LogSeq(10), NOW), Found::Absent);
    }
}
