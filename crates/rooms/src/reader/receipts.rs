//! How far users have read.

use banyan_proto::rooms::{Receipt, ReceiptRow};
use ruma::{RoomId, UserId};

use super::RoomReader;
use crate::{
    ReadError,
    tables::{receipt, recent_receipt},
};

impl RoomReader {
    /// All receipts of a user in a room, public and private; those of the newest threads may be missing where there are over 2,000.
    ///
    /// # Errors
    /// The store's.
    pub async fn receipts_of(&self, user_id: &UserId, room_id: &RoomId) -> Result<Vec<ReceiptRow>, ReadError> {
        receipt::scan(&*self.inner.store, user_id, room_id).await
    }

    /// The public receipts of a room that moved last: at most [`recent_receipt::SLOTS`], in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn recent_receipts(&self, room_id: &RoomId) -> Result<Vec<ReceiptRow>, ReadError> {
        recent_receipt::scan(&*self.inner.store, room_id).await
    }

    /// What is now in the place of these receipts of a room, in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn predecessors<'a>(
        &self,
        room_id: &RoomId,
        receipts: impl IntoIterator<Item = &'a Receipt> + Send,
    ) -> Result<Vec<Option<ReceiptRow>>, ReadError> {
        let key = |receipt: &'a Receipt| (receipt.user_id.as_str(), receipt.receipt_type.as_str(), receipt.thread_id.as_str());
        let wanted: Vec<_> = receipts.into_iter().map(key).collect();
        receipt::multi_get(&*self.inner.store, room_id, &wanted).await
    }
}
