//! Messages that wait for devices.

use std::collections::BTreeMap;

use banyan_proto::users::{ToDeviceQueueRow, ToDeviceRow};
use banyan_store::{Bound, KeyPart, Range, key};

use super::{PAGE, UserReader, decode, text};
use crate::{
    ReadError,
    tables::{TO_DEVICE, TO_DEVICE_MESSAGE, TO_DEVICE_QUEUE},
};

impl UserReader {
    /// How far a device has acknowledged its messages, and how many wait.
    pub async fn to_device_queue(&self, user_id: &str, device_id: &str) -> Result<ToDeviceQueueRow, ReadError> {
        Ok(self.get(&TO_DEVICE_QUEUE, key![user_id], key![device_id]).await?.unwrap_or_default())
    }

    /// The same of every device that ever got a message, also of those that are gone.
    pub async fn to_device_queues(&self, user_id: &str) -> Result<BTreeMap<String, ToDeviceQueueRow>, ReadError> {
        let rows = self.scan(&TO_DEVICE_QUEUE, key![user_id], Range::all(PAGE)).await?;
        let row = |row: banyan_store::Row| Ok((text(&TO_DEVICE_QUEUE, &row.clustering, 0)?, decode(&TO_DEVICE_QUEUE, row.value)?));
        rows.into_iter().map(row).collect()
    }

    /// The oldest messages at positions in `from..upto`, at most `limit` (up to 10,000), with their positions. For whoever knows
    /// that `from` is not below what the device has acknowledged.
    pub async fn to_device(
        &self,
        user_id: &str,
        device_id: &str,
        (from, upto): (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, ToDeviceRow)>, ReadError> {
        let bound = |position: u64| key![i64::try_from(position).unwrap_or(i64::MAX)];
        let range = Range { from: Bound::Included(bound(from)), to: Bound::Excluded(bound(upto)), reverse: false, limit };
        let page = self.store.scan(&TO_DEVICE, &key![user_id, device_id], range).await?;
        let read = |row: banyan_store::Row| {
            let position = row.clustering.first().and_then(KeyPart::as_int).and_then(|position| u64::try_from(position).ok());
            let corrupt = || ReadError::Corrupt { table: TO_DEVICE.name, problem: "the key has another shape".to_owned() };
            Ok((position.ok_or_else(corrupt)?, decode(&TO_DEVICE, row.value)?))
        };
        page.rows.into_iter().map(read).collect()
    }

    /// Whether a message came already.
    pub async fn has_to_device_message(&self, user_id: &str, message_id: &[u8]) -> Result<bool, ReadError> {
        Ok(self.store.get(&TO_DEVICE_MESSAGE, &key![user_id, message_id], &key![]).await?.is_some())
    }
}
