//! Publishing keys and signatures.

use std::collections::BTreeMap;

use banyan_core::ServiceError;
use banyan_proto::userserver::{UploadCrossSigningKeysRequest, UploadKeysRequest, UploadSignaturesRequest};
use banyan_users::keys::cross_signing::KeySet;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    App, Requester,
    uia::{Asked, Uia, stage},
};
use crate::calls::UserClient;

/// Keys of a device: JSON objects, empty where there are none.
#[derive(Debug, Default)]
pub(crate) struct NewKeys {
    pub(crate) device_keys: Bytes,
    pub(crate) one_time_keys: Bytes,
    pub(crate) fallback_keys: Bytes,
}

impl App {
    /// Publishes keys of the caller's device. Answers how many one-time keys are unclaimed, by algorithm.
    ///
    /// # Errors
    /// What the owner answers.
    pub(crate) async fn upload_keys(&self, requester: &Requester, keys: NewKeys) -> Result<BTreeMap<String, u64>, ServiceError> {
        let NewKeys { device_keys, one_time_keys, fallback_keys } = keys;
        let request = UploadKeysRequest { caller: Some(requester.to_users()), device_keys, one_time_keys, fallback_keys };
        let call = |mut client: UserClient, request| async move { client.upload_keys(request).await };
        let answer = self.commands.user(requester.user_id.as_str(), request, call).await?;
        Ok(answer.one_time_key_counts.into_iter().collect())
    }

    /// Publishes cross-signing keys: the first ones, and those that are there already, at once; others once the caller has confirmed it.
    ///
    /// # Errors
    /// M_INVALID_SIGNATURE, M_MISSING_PARAM without a master key, M_INVALID_PARAM and M_BAD_JSON for keys of another form.
    pub(crate) async fn upload_cross_signing_keys(
        &self,
        requester: &Requester,
        body: &Map<String, Value>,
    ) -> Result<Uia<()>, ServiceError> {
        let user_id = requester.user_id.as_str();
        let json = |name: &str| body.get(name).filter(|key| !key.is_null()).map(Value::to_string).unwrap_or_default();
        let keys = ["master_key", "self_signing_key", "user_signing_key"].map(json);
        let uploaded = KeySet::check(user_id, keys.each_ref())?;
        let stored = self.users.cross_signing_keys(user_id).await?;
        uploaded.must_be_signed(user_id, &stored)?;
        let [master_key, self_signing_key, user_signing_key] = keys.map(Bytes::from);
        let caller = Some(requester.to_users());
        let request = UploadCrossSigningKeysRequest { caller, master_key, self_signing_key, user_signing_key, confirmed: false };
        let call = |mut client: UserClient, request| async move { client.upload_cross_signing_keys(request).await };
        if !stored.has_master() || uploaded.changes(&stored).is_empty() {
            return self.commands.user(user_id, request, call).await.map(|_| Uia::Done(()));
        }
        // Sessions of the OAuth 2.0 API have this confirmed on the account pages, and nothing else.
        let flows = if requester.oauth {
            vec![vec![stage::OAUTH], vec![stage::OAUTH_UNSTABLE]]
        } else {
            self.confirming_flows(requester).await?
        };
        let endpoint = "POST /_matrix/client/v3/keys/device_signing/upload";
        let asked = Asked { endpoint, user_id: Some(&requester.user_id), flows, body };
        self.authenticated(&requester.visitor, asked, |proof| async move {
            let mut caller = requester.to_users();
            caller.request_id = proof.request_id.to_bytes().to_vec().into();
            let request = UploadCrossSigningKeysRequest { caller: Some(caller), confirmed: true, ..request };
            self.commands.user(user_id, request, call).await.map(drop)
        })
        .await
    }

    /// Publishes signatures by the caller's keys. Answers the errors, JSON, by user and key.
    ///
    /// # Errors
    /// M_BAD_JSON.
    pub(crate) async fn upload_signatures(&self, requester: &Requester, signatures: Bytes) -> Result<Bytes, ServiceError> {
        let request = UploadSignaturesRequest { caller: Some(requester.to_users()), signatures };
        let call = |mut client: UserClient, request| async move { client.upload_signatures(request).await };
        Ok(self.commands.user(requester.user_id.as_str(), request, call).await?.failures)
    }
}
