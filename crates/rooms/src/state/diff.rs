//! What differs between two states, found by reading only the nodes that differ.

use std::{collections::BTreeMap, sync::Arc};

use ruma::OwnedEventId;

use super::{
    StateError,
    key::{Part, StateKey},
    node::{Entry, Node, NodeHash},
    update::collect,
    walk::{Below, Loaded},
};

/// A key whose event differs between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDifference {
    /// The key.
    pub key: StateKey,
    /// Its event in the first state.
    pub old: Option<OwnedEventId>,
    /// Its event in the second.
    pub new: Option<OwnedEventId>,
}

/// Old and new event of each key that differs.
pub(super) type Differences = BTreeMap<StateKey, (Option<OwnedEventId>, Option<OwnedEventId>)>;

/// The differences of two tries.
pub(super) fn tries(loaded: &mut Loaded, old: Option<NodeHash>, new: Option<NodeHash>) -> Result<Differences, StateError> {
    let mut differences = Differences::new();
    if old == new {
        return Ok(differences);
    }
    let (Some(old), Some(new)) = (loaded.root(old)?, loaded.root(new)?) else { return Ok(differences) };
    for part in [Part::Members, Part::Others] {
        let hash = |root: &super::node::RootNode| root.part(part).map(|top| top.hash);
        subtrees(loaded, hash(&old), hash(&new), &mut differences)?;
    }
    Ok(differences)
}

fn subtrees(
    loaded: &mut Loaded,
    old: Option<NodeHash>,
    new: Option<NodeHash>,
    differences: &mut Differences,
) -> Result<(), StateError> {
    if old == new {
        return Ok(());
    }
    let (old_node, new_node) = (fetch(loaded, old), fetch(loaded, new));
    if (old.is_some() && old_node.is_none()) || (new.is_some() && new_node.is_none()) {
        return Ok(());
    }
    if let (Some(old_node), Some(new_node)) = (&old_node, &new_node)
        && let (Below::Branch(old_branch), Below::Branch(new_branch)) = (old_node.below()?, new_node.below()?)
    {
        for nibble in 0..16 {
            let (old, new) = (old_branch.child(nibble), new_branch.child(nibble));
            subtrees(loaded, old.map(|child| child.hash), new.map(|child| child.hash), differences)?;
        }
        return Ok(());
    }
    let (mut old_entries, mut new_entries) = (Vec::new(), Vec::new());
    if let Some(hash) = old {
        collect(loaded, hash, &mut old_entries)?;
    }
    if let Some(hash) = new {
        collect(loaded, hash, &mut new_entries)?;
    }
    entries(&old_entries, &new_entries, differences);
    Ok(())
}

fn fetch(loaded: &mut Loaded, hash: Option<NodeHash>) -> Option<Arc<Node>> {
    hash.and_then(|hash| loaded.node(hash))
}

fn entries(old: &[Entry], new: &[Entry], differences: &mut Differences) {
    let mut new = new.iter().peekable();
    let added = |entry: &Entry| (entry.key.clone(), (None, Some(entry.event_id.clone())));
    for entry in old {
        while let Some(more) = new.next_if(|more| more.order() < entry.order()) {
            differences.extend([added(more)]);
        }
        match new.next_if(|same| same.order() == entry.order()) {
            Some(same) if same.event_id == entry.event_id => {}
            Some(same) => {
                differences.insert(entry.key.clone(), (Some(entry.event_id.clone()), Some(same.event_id.clone())));
            }
            None => {
                differences.insert(entry.key.clone(), (Some(entry.event_id.clone()), None));
            }
        }
    }
    differences.extend(new.map(added));
}
