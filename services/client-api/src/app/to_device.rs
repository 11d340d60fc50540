//! Messages to devices.

use std::collections::BTreeMap;

use banyan_core::{ServiceError, ShardId};
use banyan_proto::userserver::{SendToDeviceRequest, ToDeviceRecipient};
use banyan_users::to_device;
use futures::{StreamExt, TryStreamExt, stream};
use ruma::OwnedUserId;
use serde_json::{Map, Value};

use super::{App, Requester};
use crate::calls::UserClient;

/// Shards that are told at a time.
const PARALLEL: usize = 16;

/// Contents by user and device id.
pub(crate) type Messages = BTreeMap<OwnedUserId, BTreeMap<String, Map<String, Value>>>;

impl App {
    /// Brings messages to devices: one command per shard of recipients. Users of other servers get nothing. A repetition of the
    /// transaction brings nobody anything twice.
    ///
    /// # Errors
    /// What the owners answer; some recipients may then have got their messages.
    pub(crate) async fn send_to_device(
        &self,
        requester: &Requester,
        kind: &str,
        txn_id: &str,
        messages: Messages,
    ) -> Result<(), ServiceError> {
        let message_id = to_device::message_id(requester.user_id.as_str(), &requester.device_id, kind, txn_id);
        let commands: Vec<_> = self
            .by_shard(messages)
            .into_iter()
            .map(|(name, recipients)| {
                let caller = Some(requester.to_users());
                let request = SendToDeviceRequest { caller, r#type: kind.to_owned(), message_id: message_id.clone(), recipients };
                self.send_to_shard(name, request)
            })
            .collect();
        stream::iter(commands).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn send_to_shard(&self, name: String, request: SendToDeviceRequest) -> Result<(), ServiceError> {
        let call = |mut client: UserClient, request| async move { client.send_to_device(request).await };
        self.commands.user(&name, request, call).await?;
        Ok(())
    }

    /// The recipients that are ours by shard, each group with the name of one of them.
    fn by_shard(&self, messages: Messages) -> Vec<(String, Vec<ToDeviceRecipient>)> {
        let mut shards: BTreeMap<ShardId, Vec<ToDeviceRecipient>> = BTreeMap::new();
        for (user_id, contents) in messages {
            if self.tenants.get(user_id.server_name().as_str()).is_none() || contents.is_empty() {
                continue;
            }
            let text = |content: Map<String, Value>| Value::Object(content).to_string().into_bytes().into();
            let messages = contents.into_iter().map(|(device, content)| (device, text(content))).collect();
            let recipient = ToDeviceRecipient { user_id: user_id.to_string(), messages };
            shards.entry(self.shards.shard_of(user_id.as_str())).or_default().push(recipient);
        }
        shards.into_values().filter_map(|group| Some((group.first()?.user_id.clone(), group))).collect()
    }
}
