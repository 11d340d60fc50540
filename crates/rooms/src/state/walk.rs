//! How algorithms over tries read nodes: they run on what is loaded, note what they miss and run again when it is there. So every
//! level of a trie is one read, and an algorithm over loaded nodes is plain code.

use std::{collections::HashMap, sync::Arc};

use ruma::RoomId;

use super::{
    NodeSource, StateError,
    node::{Branch, Leaf, Node, NodeHash, RootNode},
};

/// The nodes at hand.
#[derive(Default)]
pub(super) struct Loaded {
    nodes: HashMap<NodeHash, Arc<Node>>,
    missing: Vec<NodeHash>,
}

/// A node of a trie below its root.
#[derive(Clone, Copy)]
pub(super) enum Below<'a> {
    Leaf(&'a Leaf),
    Branch(&'a Branch),
}

impl Loaded {
    /// The node, unless it must be read first.
    pub(super) fn node(&mut self, hash: NodeHash) -> Option<Arc<Node>> {
        let node = self.nodes.get(&hash).cloned();
        if node.is_none() {
            self.missing.push(hash);
        }
        node
    }

    /// The root node of a state, unless it must be read first. An empty state has an empty one.
    pub(super) fn root(&mut self, hash: Option<NodeHash>) -> Result<Option<RootNode>, StateError> {
        let Some(hash) = hash else { return Ok(Some(RootNode::default())) };
        match self.node(hash).as_deref() {
            None => Ok(None),
            Some(Node::Root(root)) => Ok(Some(*root)),
            Some(_) => Err(StateError::Corrupt(format!("node {hash} is no root"))),
        }
    }
}

impl Node {
    /// The node, which must not be a root.
    pub(super) fn below(&self) -> Result<Below<'_>, StateError> {
        match self {
            Self::Leaf(leaf) => Ok(Below::Leaf(leaf)),
            Self::Branch(branch) => Ok(Below::Branch(branch)),
            Self::Root(_) => Err(StateError::Corrupt("a root lies inside a trie".to_owned())),
        }
    }
}

/// Runs `algorithm` until it misses no node.
pub(super) async fn run<T>(
    source: &dyn NodeSource,
    room: &RoomId,
    mut algorithm: impl FnMut(&mut Loaded) -> Result<T, StateError>,
) -> Result<T, StateError> {
    let mut loaded = Loaded::default();
    loop {
        let result = algorithm(&mut loaded);
        if loaded.missing.is_empty() {
            return result;
        }
        let mut missing = std::mem::take(&mut loaded.missing);
        missing.sort_unstable();
        missing.dedup();
        let nodes = source.get_nodes(room, &missing).await?;
        loaded.nodes.extend(missing.into_iter().zip(nodes));
    }
}
