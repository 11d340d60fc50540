//! Messages to the device that asks (client-server specification, "Send-to-Device messaging").
//!
//! The token says up to where the device was told its messages; presenting it says that it got them.

use std::sync::Arc;

use banyan_users::to_device::PER_SYNC;
use serde_json::{json, value::RawValue};

use super::sync::{Request, Syncs};
use crate::{
    error::SyncError,
    tails::{
        Plan,
        change::{UserChange, UserChangeKind},
    },
};

/// Devices of which it is remembered up to where nothing waits.
const DEVICES: u64 = 100_000;

/// Up to where the queues of devices are known to be acknowledged. Only an economy: what is not known is read.
pub(super) struct Acknowledged(moka::sync::Cache<(String, String), u64>);

impl std::fmt::Debug for Acknowledged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledged").field("devices", &self.0.entry_count()).finish()
    }
}

impl Default for Acknowledged {
    fn default() -> Self {
        Self(moka::sync::Cache::new(DEVICES))
    }
}

impl Syncs {
    /// Tells the owner that the device got what lies below `upto`. A failure is left to the next sync: the message is in the queue still,
    /// and not told again to who presents this token.
    pub(super) async fn acknowledge(&self, request: &Request, upto: u64) {
        let (user, device) = (request.user.as_str(), request.device.as_str());
        if device.is_empty() {
            return;
        }
        let key = (user.to_owned(), device.to_owned());
        let known = self.acknowledged.0.get(&key);
        if known.is_some_and(|known| known >= upto) {
            return;
        }
        let quiet = known.is_some_and(|known| !self.tails.may_have_messages(user, device, (known, upto)));
        let done = if quiet { Ok(()) } else { self.acknowledge_waiting(request, upto).await };
        match done {
            Ok(()) => self.acknowledged.0.insert(key, upto),
            Err(error) => tracing::warn!(user, device, %error, "messages to a device were not acknowledged"),
        }
    }

    async fn acknowledge_waiting(&self, request: &Request, upto: u64) -> Result<(), SyncError> {
        let (user, device) = (request.user.as_str(), request.device.as_str());
        if self.source.to_device(user, device, (0, upto), 1).await?.is_empty() {
            return Ok(());
        }
        Ok(self.owner.acknowledge(&request.user, &request.device, upto).await?)
    }

    /// The oldest messages from `since` on as events, each JSON, and the position up to which the device is then told.
    pub(super) async fn to_device(&self, request: &Request, plan: &Plan, since: u64) -> Result<(Vec<Vec<u8>>, u64), SyncError> {
        let upto = plan.token.user.0;
        let device = request.device.as_str();
        if device.is_empty() || (since >= upto) || (plan.user_since == Some(since) && !brings(plan.user.as_deref(), device)) {
            return Ok((Vec::new(), since.max(upto)));
        }
        let messages = self.source.to_device(request.user.as_str(), device, (since, upto), PER_SYNC).await?;
        let next = match messages.last() {
            Some((last, _)) if messages.len() == PER_SYNC => last + 1,
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

/// Whether changes bring a device messages; unknown changes may.
fn brings(changes: Option<&[Arc<UserChange>]>, device: &str) -> bool {
    changes.is_none_or(|changes| changes.iter().any(|change| change.brings(device)))
}

impl UserChange {
    /// Whether it brings a device a message.
    #[must_use]
    pub fn brings(&self, device: &str) -> bool {
        matches!(&self.kind, UserChangeKind::ToDevice(devices) if devices.iter().any(|one| one == device))
    }
}
