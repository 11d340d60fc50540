//! A room in memory.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::rooms::RoomHead;
use banyan_rooms::{reader::RoomReader, state::State};
use ruma::{OwnedRoomId, RoomId};
use tokio::sync::Mutex;

use super::known_state::KnownState;
use crate::{errors, metrics::Metrics};

/// A room and its turns.
pub(crate) struct RoomCell {
    pub(crate) room_id: OwnedRoomId,
    pub(crate) memory: Arc<Mutex<Memory>>,
    metrics: Metrics,
}

/// What is remembered of a room: its head as the last turn left it, which may be ahead of the log by what is being committed.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    loaded: bool,
    pub(crate) head: Option<Arc<RoomHead>>,
    /// `head.current`, read.
    pub(crate) state: State,
    /// Of that, what was asked for lately.
    pub(crate) known: KnownState,
}

impl RoomCell {
    pub(crate) fn new(room_id: &RoomId, metrics: Metrics) -> Self {
        metrics.loaded(1);
        Self { room_id: room_id.to_owned(), memory: Arc::default(), metrics }
    }
}

impl Drop for RoomCell {
    fn drop(&mut self) {
        self.metrics.loaded(-1);
    }
}

impl Memory {
    /// Reads the room's head unless it is in memory.
    pub(crate) async fn load(&mut self, reader: &RoomReader, room_id: &RoomId) -> Result<(), ServiceError> {
        if !self.loaded {
            self.head = reader.head(room_id).await?.map(Arc::new);
            let current = self.head.as_ref().and_then(|head| head.current.as_ref());
            self.state = current.map_or_else(|| Ok(State::empty()), State::from_proto).map_err(errors::state)?;
            self.loaded = true;
        }
        Ok(())
    }
}
