//! What else than rooms a response tells (MSC4186, "Extensions"). Extensions that are not known are left alone.

use std::sync::Arc;

use serde::Deserialize;

use super::{account_data, lists::Matched, render, to_device};
use crate::{
    error::SyncError,
    render::{DeviceKeys, DeviceLists, e2ee},
};

/// The extensions of a request.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Extensions {
    account_data: Option<Scope>,
    receipts: Option<Scope>,
    typing: Option<Scope>,
    to_device: Option<ToDevice>,
    e2ee: Option<Switch>,
}

/// An extension that is asked for or not.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Switch {
    enabled: Option<bool>,
}

/// Messages to devices (MSC3885). What is told is counted by a token of its own, so that no position need be kept for it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ToDevice {
    enabled: Option<bool>,
    limit: Option<u64>,
    since: Option<String>,
}

/// An extension about rooms: about which.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Scope {
    enabled: Option<bool>,
    lists: Option<Vec<String>>,
    rooms: Option<Vec<String>>,
}

impl Extensions {
    /// Account data (MSC3959), if they are asked for.
    pub(super) fn account_data(&self) -> Option<&Scope> {
        self.account_data.as_ref().filter(|scope| scope.is_enabled())
    }

    /// Receipts (MSC3960), if they are asked for.
    pub(super) fn receipts(&self) -> Option<&Scope> {
        self.receipts.as_ref().filter(|scope| scope.is_enabled())
    }

    /// Who types (MSC3961), if it is asked for.
    pub(super) fn typing(&self) -> Option<&Scope> {
        self.typing.as_ref().filter(|scope| scope.is_enabled())
    }

    /// Whether device lists and counts of keys (MSC3884) are asked for.
    pub(super) fn e2ee(&self) -> bool {
        self.e2ee.is_some_and(|wish| wish.enabled == Some(true))
    }

    /// Messages to the device, if they are asked for.
    pub(super) fn to_device(&self) -> Option<&ToDevice> {
        self.to_device.as_ref().filter(|wish| wish.enabled == Some(true))
    }
}

impl ToDevice {
    /// Up to where the device has got its messages.
    ///
    /// # Errors
    /// [`SyncError::Request`] for what is no `next_batch` of this extension.
    pub(super) fn since(&self) -> Result<u64, SyncError> {
        let position =
            |text: &String| text.parse().map_err(|_| SyncError::Request(format!("to_device.since: {text:?} is no token")));
        self.since.as_ref().map_or(Ok(0), position)
    }

    /// How many messages at most.
    pub(super) fn limit(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

impl Scope {
    fn is_enabled(&self) -> bool {
        self.enabled == Some(true)
    }

    /// Whether it is about a room: by a list that shows it, or by its subscription. What is left out, or `*`, means all.
    pub(super) fn takes(&self, room: &Matched<'_>) -> bool {
        let takes = |names: &Option<Vec<String>>, name: &str| {
            names.as_ref().is_none_or(|names| names.iter().any(|known| known == "*" || known == name))
        };
        room.lists.iter().any(|list| takes(&self.lists, list)) || (room.subscribed && takes(&self.rooms, &room.glimpse.room))
    }
}

/// What the extensions tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) account_data: account_data::Told,
    pub(super) to_device: Option<to_device::Told>,
    /// By room, each an event (JSON).
    pub(super) receipts: Vec<(Arc<str>, Vec<u8>)>,
    /// By room, each an event (JSON).
    pub(super) typing: Vec<(Arc<str>, Vec<u8>)>,
    /// Whose device lists to look at again; counts of keys go with it in every response.
    pub(super) device_lists: DeviceLists,
    /// Whether those counts are other ones than before.
    pub(super) keys_changed: bool,
}

impl Told {
    /// Whether there is nothing to wake a client for.
    pub(super) fn is_empty(&self) -> bool {
        let messages = self.to_device.as_ref().is_some_and(|told| !told.events.is_empty());
        let devices = self.keys_changed || !self.device_lists.is_empty();
        self.account_data.is_empty() && self.receipts.is_empty() && self.typing.is_empty() && !messages && !devices
    }

    /// By name, each JSON. `keys`: where they are asked for.
    pub(super) fn render(&self, keys: Option<&DeviceKeys>) -> Vec<(&'static str, Vec<u8>)> {
        let to_device = self.to_device.as_ref().map(|told| ("to_device", render::to_device(told)));
        let account_data = (!self.account_data.is_empty()).then(|| ("account_data", render::account_data(&self.account_data)));
        let receipts = (!self.receipts.is_empty()).then(|| ("receipts", render::by_room(&self.receipts)));
        let typing = (!self.typing.is_empty()).then(|| ("typing", render::by_room(&self.typing)));
        let e2ee = keys.map(|keys| ("e2ee", e2ee(&self.device_lists, keys).to_string().into_bytes()));
        [to_device, e2ee, account_data, receipts, typing].into_iter().flatten().collect()
    }
}
