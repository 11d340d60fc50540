//! Nodes in the store.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use banyan_store::{Column, Compaction, Key, Mode, Store, Table, Write, WriteBatch, key};
use bytes::Bytes;
use ruma::RoomId;

use super::{Node, NodeHash, NodeSource, StateError};

/// `state_node((room_id, p) | hash)`: the nodes of the rooms' state tries, each a `banyan.rooms.v1.StateNode`, with
/// `p = hash[0] % 16` to keep partitions small. Written by roomserver; rows never change.
pub static STATE_NODE: Table = Table {
    name: "state_node",
    partition: &[Column::text("room_id"), Column::int("p")],
    clustering: &[Column::blob("hash")],
    mode: Mode::Derived,
    compaction: Compaction::SizeTiered,
};

/// How many rows one read asks for.
const READ: usize = 1_000;
/// How many bytes one batch writes at most, well under a batch's limit.
const BATCH_BYTES: usize = 1 << 20;

/// A [`NodeSource`] over the table [`STATE_NODE`].
#[derive(Clone)]
pub struct StoredNodes {
    store: Arc<dyn Store>,
}

impl std::fmt::Debug for StoredNodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredNodes")
    }
}

impl StoredNodes {
    /// The nodes in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

/// The partition of a node.
#[must_use]
pub fn partition(room: &RoomId, hash: &NodeHash) -> Key {
    key![room.as_str(), i64::from(hash.0[0] % 16)]
}

/// The writes of `nodes`, for whoever applies an entry that carries them.
#[must_use]
pub fn write_batches(room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Vec<WriteBatch> {
    let mut partitions: BTreeMap<u8, Vec<&(NodeHash, Bytes)>> = BTreeMap::new();
    for node in nodes {
        partitions.entry(node.0.0[0] % 16).or_default().push(node);
    }
    let mut batches = Vec::new();
    for nodes in partitions.into_values() {
        let mut bytes = 0;
        let mut writes = Vec::new();
        for (hash, encoding) in &nodes {
            if bytes + encoding.len() > BATCH_BYTES {
                batches.push(WriteBatch {
                    table: &STATE_NODE,
                    partition: partition(room, hash),
                    writes: std::mem::take(&mut writes),
                    at,
                });
                bytes = 0;
            }
            bytes += encoding.len();
            writes.push(Write::Put { clustering: key![&hash.0[..]], value: encoding.clone(), ttl: None });
        }
        batches.push(WriteBatch { table: &STATE_NODE, partition: partition(room, &nodes[0].0), writes, at });
    }
    batches
}

#[async_trait]
impl NodeSource for StoredNodes {
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError> {
        let mut nodes = Vec::with_capacity(hashes.len());
        for hashes in hashes.chunks(READ) {
            let keys: Vec<(Key, Key)> = hashes.iter().map(|hash| (partition(room, hash), key![&hash.0[..]])).collect();
            let rows = self.store.multi_get(&STATE_NODE, &keys).await?;
            for (hash, row) in hashes.iter().zip(rows) {
                let row = row.ok_or(StateError::Missing(*hash))?;
                nodes.push(Arc::new(Node::decode(&row.value)?));
            }
        }
        Ok(nodes)
    }

    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Result<(), StateError> {
        Ok(self.store.write_all(write_batches(room, nodes, at)).await?)
    }
}
