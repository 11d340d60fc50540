//! How much was heard of what the owners of shards keep in memory alone: each tells its news over the bus, and all of it when it is asked.

use std::collections::VecDeque;

use banyan_core::{ShardCount, ShardId};

/// News of a shard that wait for the answer to a question. When there are more it is asked again.
const MAX_WAITING: usize = 1_024;

/// A place among the news of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The owner's in the shard's log.
    pub(super) epoch: u64,
    /// Counts its news; 0 is its beginning, when it knows of nothing.
    pub(super) number: u64,
}

impl Mark {
    const fn follows(self, other: Self) -> bool {
        self.epoch == other.epoch && self.number == other.number + 1
    }
}

/// What to do with what was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hearing<N> {
    /// To take it in.
    Next(N),
    /// An owner begins: what was known of the shard is over.
    Begin,
    /// Something was missed: the owner is to be asked.
    Ask,
    /// Nothing: it is old, or an answer is awaited.
    Wait,
}

/// By shard, up to where the news are known.
#[derive(Debug)]
pub(super) struct Heard<N>(Vec<Shard<N>>);

#[derive(Debug)]
struct Shard<N> {
    known: Option<Mark>,
    /// What came since the owner is to be asked.
    waiting: Option<VecDeque<(Mark, N)>>,
}

impl<N> Heard<N> {
    /// Nothing was heard: all owners are to be asked.
    pub(super) fn new(shards: ShardCount) -> Self {
        Self(shards.shards().map(|_| Shard { known: None, waiting: Some(VecDeque::new()) }).collect())
    }

    /// Whether the shard was ever heard of.
    pub(super) fn is_known(&self, shard: ShardId) -> bool {
        self.0.get(usize::from(shard.0)).is_some_and(|shard| shard.known.is_some())
    }

    /// Takes in news. `None`: an owner begins.
    pub(super) fn hear(&mut self, shard: ShardId, mark: Mark, news: Option<N>) -> Hearing<N> {
        let Some(shard) = self.0.get_mut(usize::from(shard.0)) else { return Hearing::Wait };
        if shard.known.is_some_and(|known| mark <= known) {
            return Hearing::Wait;
        }
        let Some(news) = news else {
            *shard = Shard { known: Some(mark), waiting: None };
            return Hearing::Begin;
        };
        if let Some(waiting) = &mut shard.waiting {
            if waiting.len() == MAX_WAITING {
                waiting.pop_front();
            }
            waiting.push_back((mark, news));
            return Hearing::Wait;
        }
        if shard.known.is_some_and(|known| mark.follows(known)) {
            shard.known = Some(mark);
            return Hearing::Next(news);
        }
        shard.waiting = Some(VecDeque::from([(mark, news)]));
        Hearing::Ask
    }

    /// Takes in that the owner has told everything up to `mark`. `None`: it is too old. Else what to take in after it, and whether the owner
    /// is to be asked again.
    pub(super) fn answered(&mut self, shard: ShardId, mark: Mark) -> Option<(Vec<N>, bool)> {
        let shard = self.0.get_mut(usize::from(shard.0))?;
        if shard.known.is_some_and(|known| mark < known) {
            return None;
        }
        let mut known = mark;
        let mut waiting = shard.waiting.take().unwrap_or_default();
        waiting.retain(|(heard, _)| *heard > mark);
        let mut news = Vec::new();
        while waiting.front().is_some_and(|(heard, _)| heard.follows(known)) {
            if let Some((heard, next)) = waiting.pop_front() {
                known = heard;
                news.push(next);
            }
        }
        let again = !waiting.is_empty();
        *shard = Shard { known: Some(known), waiting: again.then_some(waiting) };
        Some((news, again))
    }

    /// Whether an answer is awaited.
    pub(super) fn is_waiting(&self, shard: ShardId) -> bool {
        self.0.get(usize::from(shard.0)).is_some_and(|shard| shard.waiting.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: ShardId = ShardId(0);

    fn mark(epoch: u64, number: u64) -> Mark {
        Mark { epoch, number }
    }

    fn heard() -> Heard<u64> {
        Heard::new(ShardCount::new(1).unwrap())
    }

    #[test]
    fn news_wait_for_the_first_answer_and_follow_it() {
        let mut heard = heard();
        assert!(!heard.is_known(S) && heard.is_waiting(S));
        for number in [3, 4, 5] {
            assert_eq!(heard.hear(S, mark(1, number), Some(number)), Hearing::Wait);
        }
        assert!(!heard.is_known(S));
        assert_eq!(heard.answered(S, mark(1, 3)), Some((vec![4, 5], false)));
        assert_eq!(heard.hear(S, mark(1, 5), Some(5)), Hearing::Wait, "it is old");
        assert_eq!(heard.hear(S, mark(1, 6), Some(6)), Hearing::Next(6));
        assert_eq!(heard.answered(S, mark(1, 2)), None);
    }

    #[test]
    fn what_was_missed_is_asked_for_until_nothing_is_missing() {
        let mut heard = heard();
        heard.answered(S, mark(1, 0));
        assert_eq!(heard.hear(S, mark(1, 2), Some(2)), Hearing::Ask);
        assert_eq!(heard.hear(S, mark(1, 4), Some(4)), Hearing::Wait);
        assert_eq!(heard.answered(S, mark(1, 1)), Some((vec![2], true)));
        assert!(heard.is_waiting(S) && heard.is_known(S));
        assert_eq!(heard.answered(S, mark(1, 4)), Some((vec![], false)));
        assert!(!heard.is_waiting(S));
    }

    #[test]
    fn a_new_owner_begins_and_the_old_one_is_not_listened_to() {
        let mut heard = heard();
        heard.answered(S, mark(1, 7));
        assert_eq!(heard.hear(S, mark(2, 0), None), Hearing::Begin);
        assert_eq!(heard.hear(S, mark(1, 8), Some(8)), Hearing::Wait);
        assert_eq!(heard.answered(S, mark(1, 9)), None);
        assert_eq!(heard.hear(S, mark(2, 1), Some(1)), Hearing::Next(1));
        assert_eq!(heard.hear(S, mark(3, 1), Some(1)), Hearing::Ask, "its beginning was missed");
        assert_eq!(heard.hear(S, mark(3, 0), None), Hearing::Begin, "and comes late");
    }

    #[test]
    fn what_waits_has_a_bound() {
        let mut heard = heard();
        for number in 1..=MAX_WAITING as u64 + 1 {
            heard.hear(S, mark(1, number), Some(number));
        }
        assert_eq!(heard.answered(S, mark(1, 0)), Some((vec![], true)));
        assert_eq!(heard.answered(S, mark(1, 1)).unwrap().0.len(), MAX_WAITING);
    }
}
