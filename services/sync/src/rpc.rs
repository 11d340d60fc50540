//! The gRPC side: unpacks, calls, streams.

use std::{pin::Pin, sync::Arc, time::Duration};

use banyan_core::ServiceError;
use banyan_proto::{
    status::to_status,
    sync::{SlidingSyncRequest, SyncChunk, SyncRequest, sync_service_server::SyncService},
};
use banyan_runtime::telemetry::causes::add_causes;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use ruma::{OwnedDeviceId, OwnedUserId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::{
    app::sync,
    error::SyncError,
    render::Sink,
    sliding::{self, Sliding},
};

/// Chunks on their way to a slow reader.
const CHUNKS: usize = 4;

/// Serves `banyan.sync.v1.SyncService`.
#[derive(Clone, Debug)]
pub struct SyncRpc {
    syncs: Arc<sync::Syncs>,
    sliding: Arc<Sliding>,
}

impl SyncRpc {
    /// Serves from these.
    #[must_use]
    pub fn new(syncs: Arc<sync::Syncs>) -> Self {
        let sliding = Arc::new(syncs.sliding());
        Self { syncs, sliding }
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<SyncChunk, Status>> + Send>>;

#[tonic::async_trait]
impl SyncService for SyncRpc {
    type SyncStream = Chunks;

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<Chunks>, Status> {
        let request = unpack(request.into_inner()).map_err(status)?;
        let syncs = self.syncs.clone();
        stream(|mut sink| async move {
            match syncs.sync(request, &mut sink).await {
                Ok(()) => Ok(()),
                Err(error) => Err((sink, error)),
            }
        })
        .await
    }

    type SlidingSyncStream = Chunks;

    async fn sliding_sync(&self, request: Request<SlidingSyncRequest>) -> Result<Response<Chunks>, Status> {
        let request = unpack_sliding(request.into_inner()).map_err(status)?;
        let sliding = self.sliding.clone();
        stream(|mut sink| async move {
            match sliding.sync(request, &mut sink).await {
                Ok(()) => Ok(()),
                Err(error) => Err((sink, error)),
            }
        })
        .await
    }
}

/// Streams what `answer` writes into its sink, from the first chunk on.
async fn stream<F>(answer: impl FnOnce(Sink) -> F) -> Result<Response<Chunks>, Status>
where
    F: Future<Output = Result<(), (Sink, SyncError)>> + Send + 'static,
{
    let (out, mut chunks) = mpsc::channel(CHUNKS);
    let sink = Sink::new(out);
    let causes = sink.causes();
    let answer = answer(sink);
    let answer = async move {
        if let Err((sink, error)) = answer.await {
            sink.fail(error).await;
        }
    };
    // Ends with the response, or when its reader goes.
    let task = AbortOnDropHandle::new(tokio::spawn(answer.in_current_span()));
    // An error before the first chunk is the call's own.
    let first = chunks.recv().await.unwrap_or_else(|| Err(SyncError::Internal("the sync ended without an answer".to_owned())));
    let first = first.map_err(status)?;
    let rest = ReceiverStream::new(chunks).map(move |chunk| {
        let _ = &task;
        chunk
    });
    let chunks = futures::stream::once(async { Ok(first) }).chain(rest);
    let chunks = chunks.map(|chunk: Result<Bytes, SyncError>| chunk.map(|data| SyncChunk { data }).map_err(status));
    let mut response: Response<Chunks> = Response::new(Box::pin(chunks));
    add_causes(response.metadata_mut(), causes.get().map_or(&[], Vec::as_slice));
    Ok(response)
}

fn unpack_sliding(request: SlidingSyncRequest) -> Result<sliding::Request, SyncError> {
    Ok(sliding::Request {
        user: user_id(request.user_id)?,
        device: OwnedDeviceId::from(request.device_id),
        pos: Some(request.pos).filter(|pos| !pos.is_empty()),
        timeout: Duration::from_millis(request.timeout_ms),
        token_hash: request.token_hash,
        body: request.body,
        form: if request.stable { sliding::Form::Stable } else { sliding::Form::Unstable },
    })
}

fn user_id(text: String) -> Result<OwnedUserId, SyncError> {
    OwnedUserId::try_from(text).map_err(|error| SyncError::Request(format!("user_id: {error}")))
}

fn unpack(request: SyncRequest) -> Result<sync::Request, SyncError> {
    Ok(sync::Request {
        user: user_id(request.user_id)?,
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
