//! Changing a trie: new nodes along the changed paths, in the one form that the new set of keys has.

use bytes::Bytes;
use ruma::OwnedEventId;

use super::{
    StateError,
    key::{Part, StateKey, TrieKey},
    node::{Branch, Child, Entry, LEAF_KEYS, Leaf, Node, NodeHash, RootNode, Top},
    root::StateDelta,
    walk::{Below, Loaded},
};

/// A change with its place in a trie.
struct Change<'a> {
    place: TrieKey,
    key: &'a StateKey,
    event_id: Option<&'a OwnedEventId>,
}

/// A changed subtree.
enum Subtree {
    Empty,
    /// Small enough for a leaf.
    Small(Vec<Entry>),
    /// Written, or there before.
    Kept(Top),
}

type NewNodes = Vec<(NodeHash, Bytes)>;

/// The root after `changes` and the nodes that are new. The last change of a key counts.
pub(super) fn update(
    loaded: &mut Loaded,
    root: Option<NodeHash>,
    changes: &[StateDelta],
) -> Result<(Option<NodeHash>, NewNodes), StateError> {
    let mut new = NewNodes::new();
    let Some(old) = loaded.root(root)? else { return Ok((None, new)) };
    let mut tops = RootNode::default();
    for part in [Part::Members, Part::Others] {
        let changes = of_part(changes, part);
        let top = if changes.is_empty() {
            old.part(part)
        } else {
            let subtree = subtree(loaded, old.part(part), 0, &changes, &mut new)?;
            keep(subtree, &mut new)
        };
        match part {
            Part::Members => tops.members = top,
            Part::Others => tops.others = top,
        }
    }
    if tops == RootNode::default() {
        return Ok((None, new));
    }
    let root = write(&Node::Root(tops), &mut new);
    Ok((Some(root), new))
}

fn of_part(changes: &[StateDelta], part: Part) -> Vec<Change<'_>> {
    let mut placed: Vec<Change<'_>> = changes
        .iter()
        .map(|change| (change.key.place(), change))
        .filter(|((of, _), _)| *of == part)
        .map(|((_, place), change)| Change { place, key: &change.key, event_id: change.event_id.as_ref() })
        .collect();
    // Stable, so the last of equal keys comes last.
    placed.sort_by(|a, b| (a.place, a.key).cmp(&(b.place, b.key)));
    let mut last: Vec<Change<'_>> = Vec::with_capacity(placed.len());
    for change in placed {
        match last.last_mut() {
            Some(before) if before.place == change.place && before.key == change.key => *before = change,
            _ => last.push(change),
        }
    }
    last
}

fn subtree(
    loaded: &mut Loaded,
    top: Option<Top>,
    depth: usize,
    changes: &[Change<'_>],
    new: &mut NewNodes,
) -> Result<Subtree, StateError> {
    let Some(top) = top else {
        return Ok(grow(merge(&[], changes), depth, new));
    };
    if changes.is_empty() {
        return Ok(Subtree::Kept(top));
    }
    let Some(node) = loaded.node(top.hash) else { return Ok(Subtree::Empty) };
    match node.below()? {
        Below::Leaf(leaf) => {
            let entries = merge(&leaf.entries, changes);
            if entries == leaf.entries { Ok(Subtree::Kept(top)) } else { Ok(grow(entries, depth, new)) }
        }
        Below::Branch(branch) => rebuild(loaded, branch, depth, changes, new),
    }
}

/// A branch after changes to some of its children.
fn rebuild(
    loaded: &mut Loaded,
    branch: &Branch,
    depth: usize,
    changes: &[Change<'_>],
    new: &mut NewNodes,
) -> Result<Subtree, StateError> {
    let mut children = Vec::with_capacity(16);
    let mut rest = changes;
    let mut count = 0;
    for nibble in 0..16_u8 {
        let (mine, others) = rest.split_at(rest.partition_point(|change| change.place.nibble(depth) == nibble));
        rest = others;
        let before = branch.child(nibble).map(|child| Top { hash: child.hash, count: child.count });
        if before.is_none() && mine.is_empty() {
            continue;
        }
        let child = subtree(loaded, before, depth + 1, mine, new)?;
        count += match &child {
            Subtree::Empty => 0,
            Subtree::Small(entries) => entries.len() as u64,
            Subtree::Kept(top) => top.count,
        };
        children.push((nibble, child));
    }
    if count > LEAF_KEYS as u64 {
        return Ok(Subtree::Kept(write_branch(children, new)));
    }
    let mut entries = Vec::with_capacity(LEAF_KEYS);
    for (_, child) in children {
        match child {
            Subtree::Empty => {}
            Subtree::Small(mut more) => entries.append(&mut more),
            Subtree::Kept(top) => collect(loaded, top.hash, &mut entries)?,
        }
    }
    Ok(small(entries))
}

/// All entries below a node, in order; incomplete while nodes are missing.
pub(super) fn collect(loaded: &mut Loaded, hash: NodeHash, entries: &mut Vec<Entry>) -> Result<(), StateError> {
    let Some(node) = loaded.node(hash) else { return Ok(()) };
    match node.below()? {
        Below::Leaf(leaf) => entries.extend_from_slice(&leaf.entries),
        Below::Branch(branch) => {
            for child in &branch.children {
                collect(loaded, child.hash, entries)?;
            }
        }
    }
    Ok(())
}

fn merge(entries: &[Entry], changes: &[Change<'_>]) -> Vec<Entry> {
    let mut merged = Vec::with_capacity(entries.len() + changes.len());
    let mut old = entries.iter().peekable();
    for change in changes {
        while let Some(entry) = old.next_if(|entry| entry.order() < (change.place, change.key)) {
            merged.push(entry.clone());
        }
        old.next_if(|entry| entry.order() == (change.place, change.key));
        if let Some(event_id) = change.event_id {
            merged.push(Entry { place: change.place, key: change.key.clone(), event_id: event_id.clone() });
        }
    }
    merged.extend(old.cloned());
    merged
}

fn small(entries: Vec<Entry>) -> Subtree {
    if entries.is_empty() { Subtree::Empty } else { Subtree::Small(entries) }
}

/// The subtree of these sorted entries.
fn grow(entries: Vec<Entry>, depth: usize, new: &mut NewNodes) -> Subtree {
    if entries.len() <= LEAF_KEYS || depth == TrieKey::NIBBLES {
        return small(entries);
    }
    let mut children: Vec<(u8, Vec<Entry>)> = Vec::with_capacity(16);
    for entry in entries {
        let nibble = entry.place.nibble(depth);
        match children.last_mut() {
            Some((last, entries)) if *last == nibble => entries.push(entry),
            _ => children.push((nibble, vec![entry])),
        }
    }
    let children = children.into_iter().map(|(nibble, entries)| (nibble, grow(entries, depth + 1, new))).collect::<Vec<_>>();
    Subtree::Kept(write_branch(children, new))
}

fn write_branch(children: Vec<(u8, Subtree)>, new: &mut NewNodes) -> Top {
    let mut branch = Branch::default();
    for (nibble, child) in children {
        if let Some(top) = keep(child, new) {
            branch.children.push(Child { nibble, hash: top.hash, count: top.count });
        }
    }
    let count = branch.children.iter().map(|child| child.count).sum();
    Top { hash: write(&Node::Branch(branch), new), count }
}

fn keep(subtree: Subtree, new: &mut NewNodes) -> Option<Top> {
    match subtree {
        Subtree::Empty => None,
        Subtree::Kept(top) => Some(top),
        Subtree::Small(entries) => {
            let count = entries.len() as u64;
            Some(Top { hash: write(&Node::Leaf(Leaf { entries }), new), count })
        }
    }
}

fn write(node: &Node, new: &mut NewNodes) -> NodeHash {
    let encoding = node.encode();
    let hash = NodeHash::of(&encoding);
    new.push((hash, encoding));
    hash
}
