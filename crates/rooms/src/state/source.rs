//! Where nodes come from and go to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;
use ruma::{OwnedRoomId, RoomId};

use super::{Node, NodeHash, StateError};

/// Keeps nodes by their hash. Nodes never change, so caching them needs no care.
#[async_trait]
pub trait NodeSource: Send + Sync + 'static {
    /// Reads nodes, in the order asked.
    ///
    /// # Errors
    ///
    /// [`StateError::Missing`] if one is not there.
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError>;

    /// Writes encoded nodes under their hashes. Repeating it is harmless.
    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Result<(), StateError>;
}

/// Nodes in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryNodes {
    nodes: Mutex<HashMap<(OwnedRoomId, NodeHash), Arc<Node>>>,
}

impl MemoryNodes {
    /// How many nodes are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl NodeSource for MemoryNodes {
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let node = |hash: &NodeHash| nodes.get(&(room.to_owned(), *hash)).cloned().ok_or(StateError::Missing(*hash));
        hashes.iter().map(node).collect()
    }

    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], _at: TimestampMicros) -> Result<(), StateError> {
        let mut kept = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        for (hash, encoding) in nodes {
            kept.insert((room.to_owned(), *hash), Arc::new(Node::decode(encoding)?));
        }
        Ok(())
    }
}

#[async_trait]
impl<T: NodeSource + ?Sized> NodeSource for Arc<T> {
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError> {
        (**self).get_nodes(room, hashes).await
    }

    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Result<(), StateError> {
        (**self).put_nodes(room, nodes, at).await
    }
}
