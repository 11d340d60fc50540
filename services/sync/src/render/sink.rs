//! Where a body goes, in chunks.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::error::SyncError;

/// Bytes per chunk, about.
const CHUNK: usize = 64 * 1024;

/// Collects a body and hands it on in chunks; waits when the reader is slow.
#[derive(Debug)]
pub struct Sink {
    buffer: BytesMut,
    out: mpsc::Sender<Result<Bytes, SyncError>>,
    causes: Arc<OnceLock<Vec<String>>>,
}

impl Sink {
    /// A sink that hands chunks to `out`.
    #[must_use]
    pub fn new(out: mpsc::Sender<Result<Bytes, SyncError>>) -> Self {
        Self { buffer: BytesMut::new(), out, causes: Arc::default() }
    }

    /// The W3C trace contexts of what the body tells: set before its first chunk, if at all.
    #[must_use]
    pub fn causes(&self) -> Arc<OnceLock<Vec<String>>> {
        self.causes.clone()
    }

    /// Says which traces the body answers.
    pub fn caused_by(&self, causes: Vec<String>) {
        // A second time would be another body's.
        let _ = self.causes.set(causes);
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Hands on what is a chunk's worth.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub async fn flush_full(&mut self) -> Result<(), SyncError> {
        while self.buffer.len() >= CHUNK {
            let chunk = self.buffer.split_to(CHUNK).freeze();
            self.send(Ok(chunk)).await?;
        }
        Ok(())
    }

    /// Hands on the rest.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub async fn finish(&mut self) -> Result<(), SyncError> {
        self.flush_full().await?;
        let rest = self.buffer.split().freeze();
        self.send(Ok(rest)).await
    }

    /// Hands on that the body cannot be finished.
    pub async fn fail(self, error: SyncError) {
        // Nobody reads: nobody need know.
        let _ = self.out.send(Err(error)).await;
    }

    async fn send(&self, chunk: Result<Bytes, SyncError>) -> Result<(), SyncError> {
        self.out.send(chunk).await.map_err(|_| SyncError::Internal("the reader of the response is gone".to_owned()))
    }
}
