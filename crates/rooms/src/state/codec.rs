//! The stored form of nodes and roots.

use banyan_proto::rooms as proto;
use bytes::Bytes;
use prost::Message;
use ruma::{EventId, OwnedEventId};

use super::{
    StateError,
    key::{StateKey, TrieKey},
    node::{Branch, Child, Entry, Leaf, Node, NodeHash, RootNode, Top},
    root::{State, StateDelta},
};

impl Node {
    /// The bytes that are stored and hashed. The same node always gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let kind = match self {
            Self::Leaf(leaf) => proto::state_node::Kind::Leaf(encode_leaf(leaf)),
            Self::Branch(branch) => proto::state_node::Kind::Branch(encode_branch(branch)),
            Self::Root(root) => proto::state_node::Kind::Root(encode_root(root)),
        };
        proto::StateNode { kind: Some(kind) }.encode_to_vec().into()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// [`StateError::Corrupt`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let node = proto::StateNode::decode(bytes).map_err(|error| StateError::Corrupt(error.to_string()))?;
        match node.kind.ok_or_else(|| corrupt("a node of no kind"))? {
            proto::state_node::Kind::Leaf(leaf) => decode_leaf(leaf).map(Self::Leaf),
            proto::state_node::Kind::Branch(branch) => decode_branch(&branch).map(Self::Branch),
            proto::state_node::Kind::Root(root) => decode_root(&root).map(Self::Root),
        }
    }
}

fn corrupt(what: &str) -> StateError {
    StateError::Corrupt(what.to_owned())
}

fn hash(bytes: &[u8]) -> Result<NodeHash, StateError> {
    NodeHash::from_slice(bytes).ok_or_else(|| corrupt("a hash that has not 32 bytes"))
}

fn event_id(text: String) -> Result<OwnedEventId, StateError> {
    EventId::parse(text).map_err(|error| StateError::Corrupt(format!("an event id: {error}")))
}

fn encode_leaf(leaf: &Leaf) -> proto::StateLeaf {
    let entry = |entry: &Entry| proto::StateLeafEntry {
        key: Bytes::copy_from_slice(&entry.place.0),
        r#type: entry.key.event_type.to_string(),
        state_key: entry.key.state_key.clone(),
        event_id: entry.event_id.to_string(),
    };
    proto::StateLeaf { entries: leaf.entries.iter().map(entry).collect() }
}

fn decode_leaf(leaf: proto::StateLeaf) -> Result<Leaf, StateError> {
    let entry = |entry: proto::StateLeafEntry| {
        Ok(Entry {
            place: TrieKey::from_slice(&entry.key),
            key: StateKey::new(entry.r#type, entry.state_key),
            event_id: event_id(entry.event_id)?,
        })
    };
    Ok(Leaf { entries: leaf.entries.into_iter().map(entry).collect::<Result<_, StateError>>()? })
}

fn encode_branch(branch: &Branch) -> proto::StateBranch {
    let child = |child: &Child| proto::StateChild {
        nibble: child.nibble.into(),
        hash: Bytes::copy_from_slice(&child.hash.0),
        count: child.count,
    };
    proto::StateBranch { children: branch.children.iter().map(child).collect() }
}

fn decode_branch(branch: &proto::StateBranch) -> Result<Branch, StateError> {
    let child = |child: &proto::StateChild| {
        let nibble = u8::try_from(child.nibble).ok().filter(|nibble| *nibble < 16).ok_or_else(|| corrupt("a nibble over 15"))?;
        Ok(Child { nibble, hash: hash(&child.hash)?, count: child.count })
    };
    Ok(Branch { children: branch.children.iter().map(child).collect::<Result<_, StateError>>()? })
}

fn encode_root(root: &RootNode) -> proto::StateRootNode {
    let bytes = |top: Option<Top>| top.map_or_else(Bytes::new, |top| Bytes::copy_from_slice(&top.hash.0));
    let count = |top: Option<Top>| top.map_or(0, |top| top.count);
    proto::StateRootNode {
        members: bytes(root.members),
        others: bytes(root.others),
        member_count: count(root.members),
        other_count: count(root.others),
    }
}

fn decode_root(root: &proto::StateRootNode) -> Result<RootNode, StateError> {
    let top =
        |bytes: &[u8], count: u64| if bytes.is_empty() { Ok(None) } else { hash(bytes).map(|hash| Some(Top { hash, count })) };
    Ok(RootNode { members: top(&root.members, root.member_count)?, others: top(&root.others, root.other_count)? })
}

impl State {
    /// The form in entries and rows.
    #[must_use]
    pub fn to_proto(&self) -> proto::StateRoot {
        let delta = |delta: &StateDelta| proto::StateChange {
            r#type: delta.key.event_type.to_string(),
            state_key: delta.key.state_key.clone(),
            event_id: delta.event_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        proto::StateRoot {
            root: self.root.map_or_else(Bytes::new, |root| Bytes::copy_from_slice(&root.0)),
            deltas: self.deltas.iter().map(delta).collect(),
            carried: self.carried,
        }
    }

    /// Reads the form in entries and rows.
    ///
    /// # Errors
    ///
    /// [`StateError::Corrupt`].
    pub fn from_proto(root: &proto::StateRoot) -> Result<Self, StateError> {
        let delta = |change: &proto::StateChange| {
            Ok(StateDelta {
                key: StateKey::new(change.r#type.as_str(), change.state_key.as_str()),
                event_id: if change.event_id.is_empty() { None } else { Some(event_id(change.event_id.clone())?) },
            })
        };
        Ok(Self {
            root: if root.root.is_empty() { None } else { Some(hash(&root.root)?) },
            deltas: root.deltas.iter().map(delta).collect::<Result<_, StateError>>()?,
            carried: root.carried,
        })
    }
}
