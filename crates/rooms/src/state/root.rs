//! A state as it is held in entries and rows: a root and what changed since.

use std::sync::Arc;

use ruma::OwnedEventId;

use super::{key::StateKey, node::NodeHash};

/// The most changes that are kept beside a root.
pub const MAX_DELTAS: usize = 32;

/// Repeated changes are folded when they have cost about as much as writing the nodes would: this many times a change was repeated.
const MAX_CARRIED: usize = 64;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDelta {
    /// What changed.
    pub key: StateKey,
    /// The event there now; `None`: removed.
    pub event_id: Option<OwnedEventId>,
}

/// A room state: a trie and at most [`MAX_DELTAS`] changes on top, one per key. Cheap to clone. Two equal states may be written
/// differently: compare with [`super::States::diff`].
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) root: Option<NodeHash>,
    pub(super) deltas: Arc<[StateDelta]>,
    /// How often the changes were repeated by events that changed nothing.
    pub(super) carried: u32,
}

/// Whether it is written the same way, and then also equal.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.deltas == other.deltas
    }
}

impl Eq for State {}

impl State {
    /// The state of a room before its first event.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The root of its trie; `None`: the trie is empty.
    #[must_use]
    pub const fn root(&self) -> Option<NodeHash> {
        self.root
    }

    /// What changed since the trie was written, in the order it first changed.
    #[must_use]
    pub fn deltas(&self) -> &[StateDelta] {
        &self.deltas
    }

    /// What the changes say of `key`: `None` nothing, `Some(None)` removed.
    pub(super) fn delta(&self, key: &StateKey) -> Option<Option<&OwnedEventId>> {
        self.deltas.iter().rev().find(|delta| delta.key == *key).map(|delta| delta.event_id.as_ref())
    }

    /// The state with further changes, not yet folded: may hold more than [`MAX_DELTAS`].
    pub(super) fn with(&self, changes: impl IntoIterator<Item = StateDelta>) -> Self {
        let mut deltas = self.deltas.to_vec();
        for change in changes {
            match deltas.iter_mut().find(|delta| delta.key == change.key) {
                Some(delta) => *delta = change,
                None => deltas.push(change),
            }
        }
        Self { root: self.root, deltas: deltas.into(), carried: 0 }
    }

    /// The state as the next event repeats it.
    pub(super) fn repeated(&self) -> Self {
        Self { carried: if self.deltas.is_empty() { 0 } else { self.carried.saturating_add(1) }, ..self.clone() }
    }

    /// Whether the changes should now move into the trie.
    pub(super) fn is_due(&self) -> bool {
        self.deltas.len() > MAX_DELTAS || self.deltas.len() * self.carried as usize >= MAX_CARRIED
    }
}
