//! When and where devices were seen last (client-server specification, GET `/devices`).

use std::{fmt, net::IpAddr, pin::pin, time::Duration};

use banyan_core::ServiceError;
use banyan_proto::userserver::UpdateDeviceRequest;
use moka::sync::Cache;
use ruma::OwnedUserId;

use super::{App, Requester};
use crate::calls::UserClient;

/// How far it may be out of date: "a few minutes".
const PRECISION: Duration = Duration::from_secs(10 * 60);
/// Devices that are remembered. Only an economy: of others the row is read.
const DEVICES: u64 = 100_000;

/// When (microseconds) and where devices were noted last.
pub(crate) struct Seen(Cache<(OwnedUserId, String), (i64, IpAddr)>);

impl Seen {
    pub(crate) fn new() -> Self {
        Self(Cache::new(DEVICES))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("devices", &self.0.entry_count()).finish()
    }
}

impl App {
    /// Does `work` for a device and notes meanwhile that it was seen. The work waits for nothing: what is not noted when it is done is left
    /// to the next time.
    pub(crate) async fn seeing<T>(&self, requester: &Requester, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            noted = self.note_seen(requester) => {
                if let Err(error) = noted {
                    tracing::debug!(user_id = %requester.user_id, %error, "it was not noted that a device was seen");
                }
            }
        }
        work.await
    }

    async fn note_seen(&self, requester: &Requester) -> Result<(), ServiceError> {
        let Requester { user_id, device_id, .. } = requester;
        let (now, address) = (self.clock.now().0, requester.visitor.address);
        let key = (user_id.clone(), device_id.clone());
        if device_id.is_empty() || self.seen.0.get(&key).is_some_and(|noted| is_recent(noted, now, address)) {
            return Ok(());
        }
        let Some(device) = self.users.device(user_id.as_str(), device_id).await? else { return Ok(()) };
        let noted = device.last_seen_ip.parse().map(|place| (device.last_seen, place)).ok();
        if let Some(noted) = noted.filter(|noted| is_recent(*noted, now, address)) {
            self.seen.0.insert(key, noted);
            return Ok(());
        }
        let (caller, seen_at) = (Some(requester.to_users()), address.to_string());
        let request = UpdateDeviceRequest { caller, device_id: device_id.clone(), display_name: None, seen_at };
        let call = |mut client: UserClient, request| async move { client.update_device(request).await };
        self.commands.user(user_id.as_str(), request, call).await?;
        self.seen.0.insert(key, (now, address));
        Ok(())
    }
}

fn is_recent((at, place): (i64, IpAddr), now: i64, address: IpAddr) -> bool {
    let age = Duration::from_micros(u64::try_from(now.saturating_sub(at)).unwrap_or_default());
    age < PRECISION && place == address
}
