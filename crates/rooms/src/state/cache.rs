//! A cache of nodes, bounded by bytes; what is used least makes room.

use std::sync::Arc;

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;
use moka::sync::Cache;
use ruma::RoomId;

use super::{Node, NodeHash, NodeSource, StateError};

/// A [`NodeSource`] that remembers what it read and wrote. Equal nodes of several rooms are kept once.
#[derive(Debug)]
pub struct CachedNodes<S> {
    inner: S,
    cache: Cache<NodeHash, Arc<Node>>,
}

impl<S: NodeSource> CachedNodes<S> {
    /// A cache of at most about `max_bytes` over `inner`. Its size is the gauge `banyan.rooms.state_cache`.
    pub fn new(inner: S, max_bytes: u64) -> Self {
        let weigh = |_: &NodeHash, node: &Arc<Node>| u32::try_from(node.weight()).unwrap_or(u32::MAX);
        let cache = Cache::builder().name("state nodes").max_capacity(max_bytes).weigher(weigh).build();
        crate::metrics::observe_cache("banyan.rooms.state_cache", "State nodes held in memory", &cache);
        Self { inner, cache }
    }
}

#[async_trait]
impl<S: NodeSource> NodeSource for CachedNodes<S> {
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError> {
        let mut found: Vec<Option<Arc<Node>>> = hashes.iter().map(|hash| self.cache.get(hash)).collect();
        let missing: Vec<NodeHash> = hashes.iter().zip(&found).filter(|(_, node)| node.is_none()).map(|(hash, _)| *hash).collect();
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        let mut read = self.inner.get_nodes(room, &missing).await?.into_iter();
        for (hash, slot) in hashes.iter().zip(&mut found).filter(|(_, slot)| slot.is_none()) {
            let node = read.next().ok_or(StateError::Missing(*hash))?;
            self.cache.insert(*hash, node.clone());
            *slot = Some(node);
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Result<(), StateError> {
        self.inner.put_nodes(room, nodes, at).await?;
        for (hash, encoding) in nodes {
            self.cache.insert(*hash, Arc::new(Node::decode(encoding)?));
        }
        Ok(())
    }
}
