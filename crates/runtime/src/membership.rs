//! Which processes are there, and which of them a key belongs to.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Role;

/// A process run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Unique to the run.
    pub id: String,
    /// Where its gRPC server is reached, `host:port`. A restarted process at the same address gets the same share of keys.
    pub addr: String,
    /// What it runs.
    pub roles: Vec<Role>,
    /// It is about to leave: it takes nothing new and hands over what it has.
    pub draining: bool,
    /// Version of the program.
    pub version: String,
}

impl NodeInfo {
    /// Whether it runs the role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// The processes that are alive as far as this one knows, itself among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    nodes: BTreeMap<String, NodeInfo>,
}

impl Membership {
    /// The processes, ordered by id.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// A process by its id, if it is alive.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&NodeInfo> {
        self.nodes.get(id)
    }

    /// The processes that run a role and take new work.
    pub fn candidates(&self, role: Role) -> impl Iterator<Item = &NodeInfo> {
        self.nodes().filter(move |node| node.has(role) && !node.draining)
    }

    /// The process that a key of a role belongs to, by rendezvous hashing: the others' keys stay where they are when one comes or goes.
    #[must_use]
    pub fn choose(&self, role: Role, key: &str) -> Option<&NodeInfo> {
        self.ranked(role, key).into_iter().next()
    }

    /// The processes of a role in the order in which they are to be asked for a key.
    #[must_use]
    pub fn ranked(&self, role: Role, key: &str) -> Vec<&NodeInfo> {
        let mut nodes: Vec<_> = self.candidates(role).map(|node| (score(node, key), node)).collect();
        nodes.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.id.cmp(&y.id)));
        nodes.into_iter().map(|(_, node)| node).collect()
    }
}

impl FromIterator<NodeInfo> for Membership {
    fn from_iter<T: IntoIterator<Item = NodeInfo>>(nodes: T) -> Self {
        Self { nodes: nodes.into_iter().map(|node| (node.id.clone(), node)).collect() }
    }
}

fn score(node: &NodeInfo, key: &str) -> u64 {
    xxh3_64_with_seed(key.as_bytes(), xxh3_64(node.addr.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: usize) -> NodeInfo {
        let addr = format!("10.0.0.{n}:7000");
        NodeInfo { id: format!("run{n}"), addr, roles: vec![Role::Roomserver], draining: false, version: String::new() }
    }

    fn owners(membership: &Membership) -> Vec<String> {
        (0..64).map(|shard| membership.choose(Role::Roomserver, &format!("rm.{shard}")).unwrap().addr.clone()).collect()
    }

    #[test]
    fn a_leaving_process_moves_only_its_own_keys() {
        let four: Membership = (1..=4).map(node).collect();
        let three: Membership = (1..=3).map(node).collect();
        let (before, after) = (owners(&four), owners(&three));
        for (was, is) in before.iter().zip(&after) {
            assert!(was == is || was == &node(4).addr);
        }
        for n in 1..=4 {
            let share = before.iter().filter(|addr| **addr == node(n).addr).count();
            assert!((6..=28).contains(&share), "node {n} has {share} of 64");
        }
    }

    #[test]
    fn a_restarted_process_keeps_its_keys() {
        let before: Membership = (1..=3).map(node).collect();
        let after: Membership = (1..=3).map(|n| NodeInfo { id: format!("later{n}"), ..node(n) }).collect();
        assert_eq!(owners(&before), owners(&after));
    }

    #[test]
    fn who_leaves_or_has_another_role_is_no_candidate() {
        let draining = NodeInfo { draining: true, ..node(1) };
        let other = NodeInfo { roles: vec![Role::Sync], ..node(2) };
        let membership: Membership = [draining, other].into_iter().collect();
        assert!(membership.choose(Role::Roomserver, "rm.0").is_none());
        assert!(membership.get("run1").is_some());
    }
}
