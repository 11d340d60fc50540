//! Claiming one-time keys.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::userserver::{ClaimKeysRequest, ClaimKeysResponse};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use super::{App, Requester};
use crate::calls::UserClient;

/// Users whose owners are asked at a time.
const PARALLEL: usize = 16;

/// Algorithms by user and device.
pub(crate) type Wanted = BTreeMap<OwnedUserId, BTreeMap<String, String>>;

impl App {
    /// Claims a key of each device, if it has one: `one_time_keys` and `failures` of the answer. Users of other servers are among the
    /// failures.
    ///
    /// # Errors
    /// What the owners answer; keys may then be claimed that nobody got.
    pub(crate) async fn claim_keys(&self, requester: &Requester, wanted: Wanted) -> Result<Value, ServiceError> {
        let (local, failures) = self.reachable(wanted);
        // Each command has an id of its own: those of one shard would be taken for one.
        let commands = local.into_iter().zip(0..).map(|((user_id, devices), n)| {
            let mut caller = requester.visitor.about_user(user_id.as_str());
            caller.request_id = requester.visitor.step(n);
            let request = ClaimKeysRequest { caller: Some(caller), devices: devices.into_iter().collect() };
            async move {
                let call = |mut client: UserClient, request| async move { client.claim_keys(request).await };
                let claimed = self.commands.user(user_id.as_str(), request, call).await?;
                Ok::<_, ServiceError>((user_id, devices_of(claimed)?))
            }
        });
        let claimed: Vec<_> = stream::iter(commands).buffer_unordered(PARALLEL).try_collect().await?;
        let keys: BTreeMap<OwnedUserId, Map<String, Value>> =
            claimed.into_iter().filter(|(_, devices)| !devices.is_empty()).collect();
        Ok(json!({ "one_time_keys": keys, "failures": failures }))
    }

    /// What concerns users of this installation, and the servers of all others with what stands in the way.
    pub(super) fn reachable<T>(&self, wanted: BTreeMap<OwnedUserId, T>) -> (BTreeMap<OwnedUserId, T>, Map<String, Value>) {
        let mut failures = Map::new();
        let mut local = BTreeMap::new();
        for (user_id, wish) in wanted {
            if self.tenants.get(user_id.server_name().as_str()).is_some() {
                local.insert(user_id, wish);
            } else {
                let failure = json!({ "errcode": "M_UNREACHABLE", "error": "The server cannot be reached" });
                failures.insert(user_id.server_name().to_string(), failure);
            }
        }
        (local, failures)
    }
}

fn devices_of(claimed: ClaimKeysResponse) -> Result<Map<String, Value>, ServiceError> {
    let device = |(device_id, key): (String, banyan_proto::userserver::ClaimedKey)| {
        let value: Value = serde_json::from_slice(&key.key).map_err(|error| ServiceError::internal(format!("a key: {error}")))?;
        Ok((device_id, json!({ key.key_id: value })))
    };
    claimed.keys.into_iter().map(device).collect()
}
