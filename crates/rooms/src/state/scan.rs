//! Reading a state in order, in pages.

use ruma::OwnedEventId;

use super::{
    StateError,
    key::{Part, StateKey, TrieKey},
    node::{Entry, NodeHash, RootNode},
    root::State,
    walk::{Below, Loaded},
};

/// Some entries of a state.
#[derive(Clone, Debug, Default)]
pub struct StatePage {
    /// Keys and their events, in the trie's order: members by server, then everything else.
    pub entries: Vec<(StateKey, OwnedEventId)>,
    /// The key to go on after; `None`: that was all.
    pub next: Option<StateKey>,
}

/// Part of one trie, both ends included.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) part: Part,
    pub(super) from: TrieKey,
    pub(super) to: TrieKey,
}

impl Span {
    pub(super) const fn whole(part: Part) -> Self {
        Self { part, from: TrieKey([0; 16]), to: TrieKey([0xff; 16]) }
    }

    pub(super) fn prefix(part: Part, prefix: [u8; 8]) -> Self {
        let end = |fill: u8| {
            let mut key = [fill; 16];
            key[..8].copy_from_slice(&prefix);
            TrieKey(key)
        };
        Self { part, from: end(0), to: end(0xff) }
    }
}

/// The entries of `span` after `after`, at most `limit`; with the changes on top of the trie.
pub(super) fn scan(
    loaded: &mut Loaded,
    state: &State,
    span: Span,
    after: Option<&StateKey>,
    limit: usize,
) -> Result<StatePage, StateError> {
    let after =
        after.map(|key| (key.place(), key)).filter(|((part, _), _)| *part == span.part).map(|((_, place), key)| (place, key));
    let mut reader = Reader { loaded, state, span, after, limit: limit.max(1), entries: Vec::new(), seen: 0, full: false };
    let Some(root) = reader.loaded.root(state.root)? else { return Ok(StatePage::default()) };
    reader.trie(&root)?;
    Ok(reader.finish())
}

struct Reader<'a> {
    loaded: &'a mut Loaded,
    state: &'a State,
    span: Span,
    after: Option<(TrieKey, &'a StateKey)>,
    limit: usize,
    entries: Vec<Entry>,
    /// Keys passed or known to lie in nodes that are still to be read.
    seen: u64,
    full: bool,
}

impl Reader<'_> {
    fn trie(&mut self, root: &RootNode) -> Result<(), StateError> {
        match root.part(self.span.part) {
            Some(top) => self.node(top.hash, top.count, TrieKey([0; 16]), 0),
            None => Ok(()),
        }
    }

    fn node(&mut self, hash: NodeHash, count: u64, path: TrieKey, depth: usize) -> Result<(), StateError> {
        let Some(node) = self.loaded.node(hash) else {
            // Siblings are noted too until a page's worth is on its way: one read for all of them.
            self.seen += count;
            return Ok(());
        };
        match node.below()? {
            Below::Leaf(leaf) => {
                self.leaf(&leaf.entries);
                Ok(())
            }
            Below::Branch(branch) => {
                for child in &branch.children {
                    if self.full || self.seen > self.limit as u64 {
                        self.full = true;
                        return Ok(());
                    }
                    let (first, last) = bounds(path, depth, child.nibble);
                    let from = self.after.map_or(self.span.from, |(place, _)| place.max(self.span.from));
                    if last >= from && first <= self.span.to {
                        self.node(child.hash, child.count, first, depth + 1)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn leaf(&mut self, entries: &[Entry]) {
        for entry in entries {
            let inside = entry.place >= self.span.from && entry.place <= self.span.to;
            if !inside || self.after.is_some_and(|after| entry.order() <= after) || self.state.delta(&entry.key).is_some() {
                continue;
            }
            if self.entries.len() > self.limit {
                self.full = true;
                return;
            }
            self.seen += 1;
            self.entries.push(entry.clone());
        }
    }

    /// Adds the changes that lie before the page's end and cuts it.
    fn finish(mut self) -> StatePage {
        let end = if self.full { self.entries.last().cloned() } else { None };
        for delta in self.state.deltas() {
            let (part, place) = delta.key.place();
            let order = (place, &delta.key);
            let inside = part == self.span.part && place >= self.span.from && place <= self.span.to;
            let in_page = self.after.is_none_or(|after| order > after) && end.as_ref().is_none_or(|end| order < end.order());
            if let (true, true, Some(event_id)) = (inside, in_page, &delta.event_id) {
                self.entries.push(Entry { place, key: delta.key.clone(), event_id: event_id.clone() });
            }
        }
        self.entries.sort_by(|a, b| a.order().cmp(&b.order()));
        let more = self.full || self.entries.len() > self.limit;
        self.entries.truncate(self.limit);
        let next = if more { self.entries.last().map(|entry| entry.key.clone()) } else { None };
        StatePage { entries: self.entries.into_iter().map(|entry| (entry.key, entry.event_id)).collect(), next }
    }
}

/// The first and last key below child `nibble` of the node at `path`.
fn bounds(path: TrieKey, depth: usize, nibble: u8) -> (TrieKey, TrieKey) {
    let (mut first, mut last) = (path.0, path.0);
    let byte = depth / 2;
    if depth.is_multiple_of(2) {
        first[byte] = nibble << 4;
        last[byte] = nibble << 4 | 0x0f;
    } else {
        first[byte] = path.0[byte] & 0xf0 | nibble;
        last[byte] = first[byte];
    }
    first[byte + 1..].fill(0);
    last[byte + 1..].fill(0xff);
    (TrieKey(first), TrieKey(last))
}
