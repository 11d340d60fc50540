//! The state of a room as a content-addressed trie, and the little that changed since the trie was written.
//!
//! [`State`] is what entries and rows hold (`banyan.rooms.v1.StateRoot`): the hash of a trie's root and up to 32 changes on top. States
//! share the nodes they have in common, so nothing is stored twice, and two states are compared by reading only the nodes that differ.
//! A trie's form follows from its keys alone: equal states have equal roots however they were made. [`States`] reads and changes
//! states over a [`NodeSource`], which is the store ([`store::StoredNodes`]), a cache over it ([`cache::CachedNodes`]) or memory.

mod codec;
mod diff;
mod key;
mod node;
mod read;
mod root;
mod scan;
mod states;
mod update;
mod walk;

pub mod cache;
pub mod source;
pub mod store;

pub use diff::StateDifference;
pub use key::StateKey;
pub use node::{Node, NodeHash};
pub use root::{MAX_DELTAS, State, StateDelta};
pub use scan::StatePage;
pub use source::{MemoryNodes, NodeSource};
pub use states::{StateSize, States, Written};

/// A failed read or change of a state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] banyan_store::StoreError),
    /// A node that a root refers to is not there: it was not written, or not yet.
    #[error("node {0} of a room's state is missing")]
    Missing(NodeHash),
    /// A node or root does not read back.
    #[error("the stored state of a room is corrupt: {0}")]
    Corrupt(String),
}

#[cfg(test)]
mod tests;
