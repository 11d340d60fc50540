//! What waits for its place in a log: bounded, fair between tenants, in order within a lane.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tracing::Span;

use crate::{Proposal, pending::Answer};

/// What a tenant may send before it is the next one's turn, in the unit of [`Group::cost`].
const QUANTUM: usize = 16 * 1024;

/// A tenant may wait with this many times what is free: alone it fills most of the queue, and never all of it.
const SHARE_OF_FREE: usize = 4;

/// What an entry's header takes at most, without its targets.
const ENTRY_OVERHEAD: usize = 192;

/// Proposals that become consecutive entries.
pub(crate) struct Group {
    pub(crate) proposals: Vec<Proposal>,
    /// Of each proposal, its position among the entries of its request.
    pub(crate) indexes: Vec<u32>,
    pub(crate) traceparent: String,
    pub(crate) answer: Answer,
    /// From the proposal to the answer.
    pub(crate) span: Span,
    bytes: usize,
}

impl Group {
    pub(crate) fn new(proposals: Vec<Proposal>, indexes: Vec<u32>, traceparent: String, answer: Answer) -> Self {
        let bytes = size_of_group(&proposals);
        Self { proposals, indexes, traceparent, answer, span: Span::none(), bytes }
    }

    /// The same with its span.
    pub(crate) fn within(self, span: Span) -> Self {
        Self { span, ..self }
    }

    pub(crate) const fn len(&self) -> usize {
        self.proposals.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Small entries cost commit time, too.
    const fn cost(&self) -> usize {
        self.bytes + 512 * self.proposals.len()
    }
}

/// What proposals take in a batch, at most.
pub(crate) fn size_of_group(proposals: &[Proposal]) -> usize {
    proposals.iter().map(size_of_entry).sum()
}

/// What an entry takes with its header, at most.
pub(crate) fn size_of_entry(proposal: &Proposal) -> usize {
    proposal.body.len() + ENTRY_OVERHEAD + 3 * proposal.targets.len()
}

#[derive(Default)]
struct Tenant {
    groups: VecDeque<Group>,
    entries: usize,
    bytes: usize,
    deficit: usize,
}

/// A lane with waiting groups: it stays with one tenant's queue until it is empty, so that its order holds.
struct Lane {
    tenant: Arc<str>,
    groups: usize,
}

/// The queue of one log.
pub(crate) struct Queue {
    max_entries: usize,
    max_bytes: usize,
    entries: usize,
    bytes: usize,
    tenants: HashMap<Arc<str>, Tenant>,
    /// Tenants with waiting groups; whose turn it is, first.
    turns: VecDeque<Arc<str>>,
    lanes: HashMap<u64, Lane>,
}

impl Queue {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        let (tenants, turns, lanes) = (HashMap::new(), VecDeque::new(), HashMap::new());
        Self { max_entries, max_bytes, entries: 0, bytes: 0, tenants, turns, lanes }
    }

    /// Entries that wait.
    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    /// Whether a group of so many entries and bytes may join.
    pub(crate) fn admits(&self, tenant: &str, lane: u64, entries: usize, bytes: usize) -> bool {
        let tenant = self.lanes.get(&lane).map_or(tenant, |lane| &lane.tenant);
        let (used_entries, used_bytes) = self.tenants.get(tenant).map_or((0, 0), |tenant| (tenant.entries, tenant.bytes));
        let fits = |used: usize, more: usize, total: usize, max: usize| {
            let free = max.saturating_sub(total);
            more <= free && used + more <= SHARE_OF_FREE * free
        };
        fits(used_entries, entries, self.entries, self.max_entries) && fits(used_bytes, bytes, self.bytes, self.max_bytes)
    }

    /// Adds a group that was admitted.
    pub(crate) fn push(&mut self, group: Group) {
        let Some(first) = group.proposals.first() else { return };
        let lane = self.lanes.entry(first.lane).or_insert_with(|| Lane { tenant: first.tenant.clone(), groups: 0 });
        lane.groups += 1;
        let name = lane.tenant.clone();
        self.entries += group.len();
        self.bytes += group.bytes();
        let tenant = self.tenants.entry(name.clone()).or_default();
        if tenant.groups.is_empty() {
            self.turns.push_back(name);
        }
        tenant.entries += group.len();
        tenant.bytes += group.bytes();
        tenant.groups.push_back(group);
    }

    /// The group whose turn it is.
    pub(crate) fn peek(&mut self) -> Option<&Group> {
        while let Some(name) = self.turns.front() {
            let tenant = self.tenants.get_mut(name)?;
            if self.turns.len() == 1 || tenant.deficit >= tenant.groups.front()?.cost() {
                break;
            }
            tenant.deficit += QUANTUM;
            self.turns.rotate_left(1);
        }
        self.tenants.get(self.turns.front()?)?.groups.front()
    }

    /// Takes the group that [`Self::peek`] showed.
    pub(crate) fn pop(&mut self) -> Option<Group> {
        self.peek()?;
        let name = self.turns.front()?.clone();
        let tenant = self.tenants.get_mut(&name)?;
        let group = tenant.groups.pop_front()?;
        tenant.deficit = tenant.deficit.saturating_sub(group.cost());
        tenant.entries -= group.len();
        tenant.bytes -= group.bytes();
        self.entries -= group.len();
        self.bytes -= group.bytes();
        if tenant.groups.is_empty() {
            self.tenants.remove(&name);
            self.turns.pop_front();
        }
        if let Some(first) = group.proposals.first() {
            self.leave_lane(first.lane);
        }
        Some(group)
    }

    fn leave_lane(&mut self, lane: u64) {
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            waiting.groups -= 1;
            if waiting.groups == 0 {
                self.lanes.remove(&lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Pending;

    fn group(tenant: &str, lane: u64, size: usize) -> Group {
        let proposal = Proposal { tenant: tenant.into(), lane, body: Bytes::from(vec![0; size]), ..Proposal::default() };
        Group::new(vec![proposal], vec![0], String::new(), Pending::new().0)
    }

    fn drain(queue: &mut Queue) -> Vec<(String, u64, usize)> {
        std::iter::from_fn(|| queue.pop())
            .map(|group| (group.proposals[0].tenant.to_string(), group.proposals[0].lane, group.proposals[0].body.len()))
            .collect()
    }

    #[test]
    fn a_loud_tenant_does_not_delay_a_quiet_one() {
        let mut queue = Queue::new(1000, 1 << 24);
        for n in 0..200 {
            queue.push(group("loud", 1 + n, 1000));
        }
        queue.push(group("quiet", 1000, 1000));
        let place = drain(&mut queue).iter().position(|(tenant, ..)| tenant == "quiet").unwrap();
        assert!(place < 40, "served as number {place}");
    }

    #[test]
    fn a_lane_keeps_its_order_between_tenants() {
        let mut queue = Queue::new(1000, 1 << 24);
        for n in 0..100 {
            queue.push(group("a", 1 + n, 1000));
        }
        queue.push(group("a", 7777, 1));
        queue.push(group("b", 7777, 2));
        queue.push(group("a", 7777, 3));
        queue.push(group("b", 5, 4));
        let order: Vec<_> = drain(&mut queue).into_iter().filter(|(_, lane, _)| *lane == 7777).map(|(.., size)| size).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!((queue.entries, queue.bytes, queue.tenants.len(), queue.turns.len(), queue.lanes.len()), (0, 0, 0, 0, 0));
    }

    #[test]
    fn a_full_queue_admits_nobody_and_a_fuller_one_keeps_room_for_others() {
        let mut queue = Queue::new(100, 1 << 24);
        let mut taken = 0_u64;
        while queue.admits("loud", taken, 1, 300) {
            queue.push(group("loud", taken, 100));
            taken += 1;
        }
        assert!((70..100).contains(&taken), "{taken}");
        assert!(queue.admits("quiet", 5000, 1, 300));
        for n in 0..100 {
            queue.push(group(&format!("t{n}"), 6000 + n, 100));
        }
        assert!(!queue.admits("quiet", 5000, 1, 300));
    }
}
