//! Looking up keys.

use ruma::OwnedEventId;

use super::{
    StateError,
    key::{Part, StateKey, TrieKey},
    node::{NodeHash, RootNode, Top},
    walk::{Below, Loaded},
};

impl RootNode {
    pub(super) const fn part(&self, part: Part) -> Option<Top> {
        match part {
            Part::Members => self.members,
            Part::Others => self.others,
        }
    }
}

/// The events under `keys` in the trie at `root`, in their order.
pub(super) fn lookup(
    loaded: &mut Loaded,
    root: Option<NodeHash>,
    keys: &[&StateKey],
) -> Result<Vec<Option<OwnedEventId>>, StateError> {
    let Some(root) = loaded.root(root)? else { return Ok(Vec::new()) };
    let find = |key: &&StateKey| {
        let (part, place) = key.place();
        root.part(part).map_or(Ok(None), |top| find(loaded, top.hash, place, key))
    };
    keys.iter().map(find).collect()
}

fn find(loaded: &mut Loaded, top: NodeHash, place: TrieKey, key: &StateKey) -> Result<Option<OwnedEventId>, StateError> {
    let mut hash = top;
    for depth in 0..=TrieKey::NIBBLES {
        let Some(node) = loaded.node(hash) else { return Ok(None) };
        match node.below()? {
            Below::Leaf(leaf) => {
                let found = leaf.entries.binary_search_by(|entry| entry.order().cmp(&(place, key)));
                return Ok(found.ok().map(|index| leaf.entries[index].event_id.clone()));
            }
            Below::Branch(branch) if depth < TrieKey::NIBBLES => match branch.child(place.nibble(depth)) {
                Some(child) => hash = child.hash,
                None => return Ok(None),
            },
            Below::Branch(_) => break,
        }
    }
    Err(StateError::Corrupt("a trie is deeper than its keys".to_owned()))
}
