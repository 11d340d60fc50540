//! The two threads that write: each is the only writer of its database, and joins what waits into one batch. So a condition, or who wins
//! a row, is decided without a lock, and one sync serves the appends of all shards.

use std::{io, sync::Arc, thread};

use tokio::sync::{mpsc, oneshot};

use super::databases::Slot;
use crate::StoreError;

/// Requests that may wait for a committer; who comes later waits to queue.
const QUEUE: usize = 4096;
/// Where a batch is closed, whatever else waits.
const MAX_REQUESTS: usize = 1024;
const MAX_BYTES: usize = 8 << 20;

/// A write, and how a batch of them is committed.
pub(super) trait Work: Sized + Send + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// About how many bytes it adds.
    fn bytes(&self) -> usize;

    /// Commits a batch; one answer each, in order.
    fn commit(slot: &Slot, batch: &[Self]) -> Vec<Result<Self::Answer, StoreError>>;
}

struct Request<W: Work> {
    work: W,
    answer: oneshot::Sender<Result<W::Answer, StoreError>>,
}

/// A committer thread. It ends, with what it began, when this is dropped.
pub(super) struct Committer<W: Work> {
    queue: Option<mpsc::Sender<Request<W>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl<W: Work> Committer<W> {
    pub(super) fn start(name: &str, slot: Arc<Slot>) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&slot, requests))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues a write and waits for its answer. Once queued it is carried out even if the caller goes away.
    pub(super) async fn commit(&self, work: W) -> Result<W::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the store is closed".to_owned());
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Request { work, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| StoreError::Unknown("the store closed before it answered".to_owned()))?
    }
}

impl<W: Work> Drop for Committer<W> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a committer of the embedded store ended by a panic");
        }
    }
}

fn run<W: Work>(slot: &Slot, mut requests: mpsc::Receiver<Request<W>>) {
    while let Some(first) = requests.blocking_recv() {
        let mut bytes = first.work.bytes();
        let mut batch = vec![first.work];
        let mut answers = vec![first.answer];
        while batch.len() < MAX_REQUESTS
            && bytes < MAX_BYTES
            && let Ok(next) = requests.try_recv()
        {
            bytes += next.work.bytes();
            batch.push(next.work);
            answers.push(next.answer);
        }
        let results = match slot.prepare_write(bytes) {
            Ok(()) => W::commit(slot, &batch),
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever asked may have gone away.
            let _ = answer.send(result);
        }
    }
}
