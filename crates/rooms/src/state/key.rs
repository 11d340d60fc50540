//! Names of things in a room's state, and where they lie in the tries.

use std::fmt;

use ruma::{UserId, events::StateEventType};

/// A (type, state key) pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateKey {
    /// The event type.
    pub event_type: StateEventType,
    /// The state key.
    pub state_key: String,
}

impl StateKey {
    /// The key of this type and state key.
    #[must_use]
    pub fn new(event_type: impl Into<StateEventType>, state_key: impl Into<String>) -> Self {
        Self { event_type: event_type.into(), state_key: state_key.into() }
    }

    /// The key of a user's membership.
    #[must_use]
    pub fn member(user: &UserId) -> Self {
        Self::new(StateEventType::RoomMember, user.as_str())
    }

    /// The key of a type whose state key is empty.
    #[must_use]
    pub fn plain(event_type: StateEventType) -> Self {
        Self::new(event_type, "")
    }

    /// The user whose membership this is the key of.
    #[must_use]
    pub fn as_member(&self) -> Option<&UserId> {
        if self.event_type == StateEventType::RoomMember { <&UserId>::try_from(self.state_key.as_str()).ok() } else { None }
    }

    /// Which trie the key lies in, and where.
    pub(super) fn place(&self) -> (Part, TrieKey) {
        match self.as_member() {
            Some(user) => {
                let mut key = server_prefix(user.server_name().as_str()).to_vec();
                key.extend_from_slice(&blake3::hash(user.as_bytes()).as_bytes()[..8]);
                (Part::Members, TrieKey::from_slice(&key))
            }
            None => {
                let mut hasher = blake3::Hasher::new();
                let kind = self.event_type.to_string();
                // The length keeps ("ab", "c") and ("a", "bc") apart.
                hasher.update(&(kind.len() as u64).to_le_bytes()).update(kind.as_bytes()).update(self.state_key.as_bytes());
                (Part::Others, TrieKey::from_slice(&hasher.finalize().as_bytes()[..16]))
            }
        }
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {:?})", self.event_type, self.state_key)
    }
}

/// The first eight bytes of the keys of a server's members.
pub(super) fn server_prefix(server: &str) -> [u8; 8] {
    let hash = blake3::hash(server.as_bytes());
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&hash.as_bytes()[..8]);
    prefix
}

/// The two tries of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// `m.room.member` of users, by server and user.
    Members,
    /// Everything else.
    Others,
}

/// A path in a trie: 32 nibbles, the high one of each byte first. Keys may collide (a server can make its own users' do): leaves
/// compare the state key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TrieKey(pub(super) [u8; 16]);

impl TrieKey {
    /// How many nibbles a key has.
    pub(super) const NIBBLES: usize = 32;

    pub(super) fn from_slice(bytes: &[u8]) -> Self {
        let mut key = [0; 16];
        let length = bytes.len().min(16);
        key[..length].copy_from_slice(&bytes[..length]);
        Self(key)
    }

    pub(super) fn nibble(self, depth: usize) -> u8 {
        let byte = self.0[depth / 2];
        if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
    }
}
