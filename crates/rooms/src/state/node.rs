//! Nodes of a trie.

use std::fmt;

use ruma::OwnedEventId;

use super::key::{StateKey, TrieKey};

/// The name of a node: the BLAKE3 hash of its encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash(pub [u8; 32]);

impl NodeHash {
    /// The name of the node with this encoding.
    #[must_use]
    pub fn of(encoding: &[u8]) -> Self {
        Self(*blake3::hash(encoding).as_bytes())
    }

    /// Reads the stored form; `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node (`banyan.rooms.v1.StateNode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A subtree of at most 32 keys.
    Leaf(Leaf),
    /// A larger one.
    Branch(Branch),
    /// The top of both tries.
    Root(RootNode),
}

/// The entries of a small subtree, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    pub(super) entries: Vec<Entry>,
}

/// One key and its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: TrieKey,
    pub(super) key: StateKey,
    pub(super) event_id: OwnedEventId,
}

/// Subtrees by their next nibble, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    pub(super) children: Vec<Child>,
}

/// A subtree that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) nibble: u8,
    pub(super) hash: NodeHash,
    pub(super) count: u64,
}

/// The tops of the two tries; `None` where a trie is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootNode {
    pub(super) members: Option<Top>,
    pub(super) others: Option<Top>,
}

/// The top of a trie and how many keys it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) hash: NodeHash,
    pub(super) count: u64,
}

/// The most keys of a leaf, unless all nibbles of the keys are used up.
pub(super) const LEAF_KEYS: usize = 32;

impl Branch {
    pub(super) fn child(&self, nibble: u8) -> Option<&Child> {
        self.children.binary_search_by_key(&nibble, |child| child.nibble).ok().map(|index| &self.children[index])
    }
}

impl Entry {
    pub(super) fn order(&self) -> (TrieKey, &StateKey) {
        (self.place, &self.key)
    }
}

impl Node {
    /// About how many bytes the node takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.entries.iter().map(|entry| 160 + entry.key.state_key.len()).sum(),
            Self::Branch(branch) => 64 + branch.children.len() * 48,
            Self::Root(_) => 160,
        }
    }
}
