//! Waiting for what is new.

use banyan_core::ServiceError;
use banyan_proto::sync::SyncRequest;
use bytes::Bytes;
use futures::Stream;

use super::{App, Requester};

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct SyncWish {
    pub(crate) since: Option<String>,
    /// A filter's id, or the filter itself as JSON.
    pub(crate) filter: Option<String>,
    pub(crate) full_state: bool,
    pub(crate) timeout_ms: u64,
    pub(crate) use_state_after: bool,
    pub(crate) set_presence: Option<String>,
}

impl App {
    /// The answer's JSON, piece by piece as the sync role makes it. Dropping the future or the stream ends the poll there.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a filter that does not exist, and what the sync role answers before its first piece.
    pub(crate) async fn sync(
        &self,
        requester: &Requester,
        wish: SyncWish,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<>, ServiceError> {
        let request = SyncRequest {
            tenant: requester.visitor.server_name().to_owned(),
            user_id: requester.user_id.to_string(),
            device_id: requester.device_id.clone(),
            since: wish.since.unwrap_or_default(),
            filter: self.sync_filter(requester, wish.filter.as_deref()).await?,
            full_state: wish.full_state,
            timeout_ms: wish.timeout_ms.min(self.config.max_sync_timeout_ms),
            use_state_after: wish.use_state_after,
            set_presence: wish.set_presence.unwrap_or_default(),
            token_hash: requester.token.as_bytes().to_vec().into(),
            guest: requester.guest,
        };
        self.seeing(requester, self.syncs.sync(request)).await
    }

    /// The filter's JSON; empty for none.
    async fn sync_filter(&self, requester: &Requester, filter: Option<&str>) -> Result<Bytes, ServiceError> {
        match filter.map(str::trim) {
            None | Some("") => Ok(Bytes::new()),
            Some(json) if json.starts_with('{') => {
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json)
                    .map_err(|error| ServiceError::bad_json(format!("filter: {error}")))?;
                Ok(Bytes::copy_from_slice(json.as_bytes()))
            }
            Some(id) => {
                let filter = self.users.filter(requester.user_id.as_str(), id).await?;
                filter.ok_or_else(|| ServiceError::invalid_param("There is no such filter"))
            }
        }
    }
}
