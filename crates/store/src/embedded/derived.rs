//! Derived writes: the last writer wins by timestamp, so each reads the row it replaces. They reach the operating system at once and the
//! disk within two seconds.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use banyan_core::TimestampMicros;
use fjall::OwnedWriteBatch;

use super::{
    committer::Work,
    databases::{Databases, Slot, to_store_error},
    encoding::{decode_cell, encode_cell, partition_prefix, push_parts},
};
use crate::{
    StoreError, Write, WriteBatch,
    cell::{Cell, cells},
    check::key_size,
};

/// Batches that one caller wrote together.
pub(super) struct Batches {
    pub(super) batches: Vec<WriteBatch>,
    /// Raised when there is something to sync.
    pub(super) unsynced: Arc<AtomicBool>,
}

impl Work for Batches {
    type Answer = ();

    fn bytes(&self) -> usize {
        let size = |write: &Write| match write {
            Write::Put { clustering, value, .. } => key_size(clustering) + value.len() + 64,
            Write::Delete { clustering } => key_size(clustering) + 64,
        };
        self.batches.iter().flat_map(|batch| &batch.writes).map(size).sum()
    }

    fn commit(slot: &Slot, batch: &[Self]) -> Vec<Result<(), StoreError>> {
        let now = slot.clock().now();
        let committed = slot.with(|databases| {
            let mut round = Round { databases, batch: databases.rows.batch(), decided: HashMap::new() };
            for write in batch.iter().flat_map(|work| &work.batches) {
                round.write(write, now)?;
            }
            round.batch.commit().map_err(|error| {
                slot.set_failed(&error);
                match to_store_error(&error) {
                    StoreError::DiskFull(what) => StoreError::DiskFull(what),
                    _ => StoreError::Unknown(error.to_string()),
                }
            })
        });
        if let Some(work) = batch.first() {
            work.unsynced.store(true, Ordering::Release);
        }
        batch.iter().map(|_| committed.clone()).collect()
    }
}

struct Round<'a> {
    databases: &'a Databases,
    batch: OwnedWriteBatch,
    decided: HashMap<Vec<u8>, Cell>,
}

impl Round<'_> {
    fn write(&mut self, batch: &WriteBatch, now: TimestampMicros) -> Result<(), StoreError> {
        let prefix = partition_prefix(batch.table.name, &batch.partition);
        for (clustering, cell) in cells(batch, now) {
            let mut key = prefix.clone();
            push_parts(&mut key, clustering);
            if self.wins(&key, &cell)? {
                self.batch.insert(&self.databases.derived, key.as_slice(), encode_cell(&cell));
                self.decided.insert(key, cell);
            }
        }
        Ok(())
    }

    fn wins(&self, key: &[u8], cell: &Cell) -> Result<bool, StoreError> {
        if let Some(decided) = self.decided.get(key) {
            return Ok(cell.beats(decided));
        }
        match self.databases.derived.get(key).map_err(|error| to_store_error(&error))? {
            None => Ok(true),
            Some(stored) => Ok(cell.beats(&decode_cell(&stored)?)),
        }
    }
}

/// The thread that syncs derived rows from time to time. It does so through files of its own, so that nobody waits for it.
pub(super) struct Syncer {
    pub(super) unsynced: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(folder: PathBuf) -> io::Result<Self> {
        const PERIOD: Duration = Duration::from_secs(2);
        let unsynced = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel::<()>();
        let raised = Arc::clone(&unsynced);
        let thread = thread::Builder::new().name("store-sync".to_owned()).spawn(move || {
            loop {
                let last = !matches!(stopped.recv_timeout(PERIOD), Err(RecvTimeoutError::Timeout));
                if raised.swap(false, Ordering::AcqRel)
                    && let Err(error) = sync_journals(&folder)
                {
                    raised.store(true, Ordering::Release);
                    tracing::warn!(%error, "derived rows could not be synced");
                }
                if last {
                    return;
                }
            }
        })?;
        Ok(Self { unsynced, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the syncing thread of the embedded store ended by a panic");
        }
    }
}

/// What is no longer in a journal was synced as it was sorted to disk.
fn sync_journals(folder: &std::path::Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("jnl")) {
            continue;
        }
        match File::open(&path).and_then(|file| file.sync_data()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}
