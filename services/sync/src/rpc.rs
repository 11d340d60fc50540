//! The gRPC side: unpacks, calls, streams.

use std::{pin::Pin, sync::Arc, time::Duration};

use banyan_core::ServiceError;
use banyan_proto::{
    status::to_status,
    sync::{SyncChunk, SyncRequest, sync_service_server::SyncService},
};
use banyan_runtime::telemetry::causes::add_causes;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ruma::{OwnedDeviceId, OwnedUserId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::{app::sync, error::SyncError, render::Sink};

/// Chunks on their way to a slow reader.
const CHUNKS: usize = 4;

/// Serves `banyan.sync.v1.SyncService`.
#[derive(Clone, Debug)]
pub struct SyncRpc {
    syncs: Arc<sync::Syncs>,
}

impl SyncRpc {
    /// Serves from these.
    #[must_use]
    pub const fn new(syncs: Arc<sync::Syncs>) -> Self {
        Self { syncs }
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<SyncChunk, Status>> + Send>>;

#[tonic::async_trait]
impl SyncService for SyncRpc {
    type SyncStream = Chunks;

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<Chunks>, Status> {
        let request = unpack(request.into_inner()).map_err(status)?;
        let (out, mut chunks) = mpsc::channel(CHUNKS);
        let syncs = self.syncs.clone();
        // Ends with the response, or when its reader goes.
        let mut sink = Sink::new(out);
        let causes = sink.causes();
        let answer = async move {
            if let Err(error) = syncs.sync(request, &mut sink).await {
                sink.fail(error).await;
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(answer.in_current_span()));
        // An error before the first chunk is the call's own.
        let first = chunks.recv().await.unwrap_or_else(|| Err(SyncError::Internal("the sync ended without an answer".to_owned())));
        let first = first.map_err(status)?;
        let rest = ReceiverStream::new(chunks).map(move |chunk| {
            let _ = &task;
            chunk
        });
        let chunks = stream::once(async { Ok(first) }).chain(rest);
        let chunks = chunks.map(|chunk: Result<Bytes, SyncError>| chunk.map(|data| SyncChunk { data }).map_err(status));
        let mut response: Response<Chunks> = Response::new(Box::pin(chunks));
        add_causes(response.metadata_mut(), causes.get().map_or(&[], Vec::as_slice));
        Ok(response)
    }
}

fn unpack(request: SyncRequest) -> Result<sync::Request, SyncError> {
    let user = OwnedUserId::try_from(request.user_id).map_err(|error| SyncError::Request(format!("user_id: {error}")))?;
    Ok(sync::Request {
        user,
        device: OwnedDeviceId::from(request.device_id),
        since: Some(request.since).filter(|since| !since.is_empty()),
        filter: request.filter,
        full_state: request.full_state,
        timeout: Duration::from_millis(request.timeout_ms),
        state_after: request.use_state_after,
        token_hash: request.token_hash,
    })
}

fn status(error: SyncError) -> Status {
    to_status(&ServiceError::from(error))
}
