//! Messages to the device that asks (client-server specification, "Send-to-Device messaging").
//!
//! The token says up to where the device was told its messages; presenting it says that it got them.

use std::sync::Arc;

use banyan_users::to_device::PER_SYNC;
use ruma::{DeviceId, UserId};
use serde_json::{json, value::RawValue};

use crate::{
    calls::Acknowledge,
    error::SyncError,
    source::Source,
    tails::{
        Tails,
        change::{UserChange, UserChangeKind},
    },
};

/// Devices of which it is remembered up to where nothing waits.
const DEVICES: u64 = 100_000;

/// Up to where the queues of devices are known to be acknowledged. Only an economy: what is not known is read.
struct Acknowledged(moka::sync::Cache<(String, String), u64>);

impl std::fmt::Debug for Acknowledged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledged").field("devices", &self.0.entry_count()).finish()
    }
}

/// The queues of devices.
#[derive(Debug)]
pub(crate) struct ToDevice {
    tails: Arc<Tails>,
    source: Source,
    owner: Arc<dyn Acknowledge>,
    acknowledged: Acknowledged,
}

/// Whose queue. One without a device id has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) device: &'a DeviceId,
}

impl ToDevice {
    pub(crate) fn new(tails: Arc<Tails>, source: Source, owner: Arc<dyn Acknowledge>) -> Self {
        Self { tails, source, owner, acknowledged: Acknowledged(moka::sync::Cache::new(DEVICES)) }
    }

    /// Tells the owner that the device got what lies below `upto`. A failure is left to the next sync: the message is in the queue still,
    /// and not told again to who presents this token.
    pub(crate) async fn acknowledge(&self, recipient: Recipient<'_>, upto: u64) {
        let (user, device) = (recipient.user.as_str(), recipient.device.as_str());
        if device.is_empty() {
            return;
        }
        let key = (user.to_owned(), device.to_owned());
        let known = self.acknowledged.0.get(&key);
        if known.is_some_and(|known| known >= upto) {
            return;
        }
        let quiet = known.is_some_and(|known| !self.tails.may_have_messages(user, device, (known, upto)));
        let done = if quiet { Ok(()) } else { self.acknowledge_waiting(recipient, upto).await };
        match done {
            Ok(()) => self.acknowledged.0.insert(key, upto),
            Err(error) => tracing::warn!(user, device, %error, "messages to a device were not acknowledged"),
        }
    }

    async fn acknowledge_waiting(&self, recipient: Recipient<'_>, upto: u64) -> Result<(), SyncError> {
        let Recipient { user, device } = recipient;
        if self.source.to_device(user.as_str(), device.as_str(), (0, upto), 1).await?.is_empty() {
            return Ok(());
        }
        Ok(self.owner.acknowledge(user, device, upto).await?)
    }

    /// The oldest messages at positions in `since..upto` as events, each JSON, and the position up to which the device is then told. At
    /// most `limit` of them, and [`PER_SYNC`].
    pub(crate) async fn waiting(
        &self,
        recipient: Recipient<'_>,
        (since, upto): (u64, u64),
        limit: usize,
    ) -> Result<(Vec<Vec<u8>>, u64), SyncError> {
        let (user, device) = (recipient.user.as_str(), recipient.device.as_str());
        if device.is_empty() || since >= upto || !self.tails.may_have_messages(user, device, (since, upto)) {
            return Ok((Vec::new(), since.max(upto)));
        }
        let limit = limit.clamp(1, PER_SYNC);
        let messages = self.source.to_device(user, device, (since, upto), limit).await?;
        let next = match messages.last() {
            Some((last, _)) if messages.len() == limit => last + 1,
            _ => upto,
        };
        let events = messages.into_iter().map(|(_, row)| {
            let content = serde_json::from_slice::<&RawValue>(&row.content)
                .map_err(|error| SyncError::Internal(format!("a message to a device is not JSON: {error}")))?;
            Ok(json!({ "content": content, "sender": row.sender, "type": row.r#type }).to_string().into_bytes())
        });
        Ok((events.collect::<Result<_, SyncError>>()?, next))
    }
}

impl UserChange {
    /// Whether it brings a device a message.
    #[must_use]
    pub fn brings(&self, device: &str) -> bool {
        matches!(&self.kind, UserChangeKind::ToDevice(devices) if devices.iter().any(|one| one == device))
    }
}
