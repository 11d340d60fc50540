//! Calls to the sync role.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::transport::Transport;
use banyan_proto::{
    status::from_status,
    sync::{SlidingSyncRequest, SyncChunk, SyncRequest, sync_service_client::SyncServiceClient},
};
use banyan_runtime::{MAX_MESSAGE_BYTES, Role, ShardRouter, telemetry::causes::link_causes};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tonic::{Response, Status, Streaming};
use tracing::Span;

/// Asks the sync worker that a user's requests go to, or another while that one is away.
#[derive(Clone, Debug)]
pub(crate) struct Syncs {
    router: Arc<ShardRouter>,
}

impl Syncs {
    pub(crate) const fn new(router: Arc<ShardRouter>) -> Self {
        Self { router }
    }

    /// The answer's JSON, piece by piece as it is made.
    ///
    /// # Errors
    /// What the sync role answers before its first piece.
    pub(crate) async fn sync(
        &self,
        request: SyncRequest,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<>, ServiceError> {
        let user = request.user_id.clone();
        self.pieces(&user, move |mut client| {
            let request = request.clone();
            async move { client.sync(request).await }
        })
        .await
    }

    /// The same of a sliding sync.
    ///
    /// # Errors
    /// What the sync role answers before its first piece.
    pub(crate) async fn sliding_sync(
        &self,
        request: SlidingSyncRequest,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<>, ServiceError> {
        let user = request.user_id.clone();
        self.pieces(&user, move |mut client| {
            let request = request.clone();
            async move { client.sliding_sync(request).await }
        })
        .await
    }

    async fn pieces<C, F>(
        &self,
        user: &str,
        ask: C,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<C, F>, ServiceError>
    where
        C: Fn(SyncServiceClient<Transport>) -> F,
        F: Future<Output = Result<Response<Streaming<SyncChunk>>, Status>>,
    {
        // The first piece is part of the call: until it is there another replica can take over.
        let call = |transport| {
            let answer = ask(SyncServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE_BYTES));
            async move {
                let answer = answer.await?;
                // A long poll is a trace of its own; what ended it is linked to it.
                link_causes(&Span::current(), answer.metadata());
                let mut chunks = answer.into_inner();
                let first = chunks.message().await?;
                Ok(Response::new((first, chunks)))
            }
        };
        let (first, rest): (Option<SyncChunk>, Streaming<SyncChunk>) = self.router.call_replica(Role::Sync, user, call).await?;
        let rest = rest.map(|chunk| chunk.map(|chunk| chunk.data).map_err(|status| from_status(&status)));
        Ok(stream::iter(first.map(|chunk| Ok(chunk.data))).chain(rest))
    }
}
