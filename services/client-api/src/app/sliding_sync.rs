//! Waiting for what is new, in windows of the list of rooms.

use banyan_core::ServiceError;
use banyan_proto::sync::SlidingSyncRequest;
use bytes::Bytes;
use futures::Stream;

use super::{App, Requester};

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct SlidingWish {
    pub(crate) pos: Option<String>,
    pub(crate) timeout_ms: u64,
    pub(crate) set_presence: Option<String>,
    /// Lists, subscriptions and extensions: a JSON object, which the sync role reads.
    pub(crate) body: Bytes,
    /// Answered in the form of MSC4186, not of the unstable endpoint.
    pub(crate) stable: bool,
}

impl App {
    /// The answer's JSON, piece by piece as the sync role makes it. Dropping the future or the stream ends the poll there.
    ///
    /// # Errors
    /// What the sync role answers before its first piece.
    pub(crate) async fn sliding_sync(
        &self,
        requester: &Requester,
        wish: SlidingWish,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<>, ServiceError> {
        let request = SlidingSyncRequest {
            tenant: requester.visitor.server_name().to_owned(),
            user_id: requester.user_id.to_string(),
            device_id: requester.device_id.clone(),
            pos: wish.pos.unwrap_or_default(),
            body: wish.body,
            timeout_ms: wish.timeout_ms.min(self.config.max_sync_timeout_ms),
            set_presence: wish.set_presence.unwrap_or_default(),
            token_hash: requester.token.as_bytes().to_vec().into(),
            guest: requester.guest,
            stable: wish.stable,
        };
        self.seeing(requester, self.syncs.sliding_sync(request)).await
    }
}
