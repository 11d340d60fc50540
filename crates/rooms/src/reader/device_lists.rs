//! When members' devices changed.

use banyan_core::LogSeq;
use ruma::RoomId;

use super::RoomReader;
use crate::{ReadError, tables::device_list};

impl RoomReader {
    /// The members of a room, and former ones, whose devices changed at a position in its shard's log or later.
    ///
    /// # Errors
    /// The store's.
    pub async fn device_lists_since(&self, room_id: &RoomId, since: LogSeq) -> Result<Vec<String>, ReadError> {
        device_list::since(&*self.inner.store, room_id, since.0).await
    }
}
