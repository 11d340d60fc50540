//! The two databases inside the directory, what guards them from a full disk, and how they come back after one.
//!
//! `log` holds what must be synced before it is acknowledged, `rows` what may be lost in a power failure. They are apart so that a write
//! to `rows` never waits for a sync of `log`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use banyan_core::Clock;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use parking_lot::{Mutex, RwLock};

use super::{
    EmbeddedConfig,
    directory::Directory,
    journal::{self, Tail},
    purge::Purge,
};
use crate::StoreError;

pub(super) const LOG: &str = "log";
pub(super) const ROWS: &str = "rows";

/// The opened databases.
pub(super) struct Databases {
    pub(super) log: Database,
    /// Owners, heads and entries.
    pub(super) entries: Keyspace,
    /// Conditional tables.
    pub(super) conditional: Keyspace,
    pub(super) rows: Database,
    /// Derived and cache tables.
    pub(super) derived: Keyspace,
}

/// Asks how much room is left at a path.
pub(super) type Probe = Box<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// The databases, and when to take them away and open them again: after a failed write they accept no other.
pub(super) struct Slot {
    databases: RwLock<Option<Databases>>,
    directory: Directory,
    config: EmbeddedConfig,
    clock: Arc<dyn Clock>,
    /// How many bytes of the disk are free.
    free: Probe,
    failed: AtomicBool,
    last_attempt: Mutex<Option<Duration>>,
}

impl Slot {
    pub(super) fn open(
        mut directory: Directory,
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
        free: Probe,
    ) -> Result<Self, StoreError> {
        directory.check_parts(&[LOG, ROWS])?;
        mend(&directory)?;
        let databases = open(&directory, &config, &clock).map_err(|error| {
            let path = directory.path().display();
            match to_store_error(&error) {
                StoreError::DiskFull(what) => StoreError::DiskFull(what),
                _ => StoreError::Setup(format!("the data directory {path} cannot be opened, nothing was changed in it: {error}")),
            }
        })?;
        directory.set_complete()?;
        Ok(Self {
            databases: RwLock::new(Some(databases)),
            directory,
            config,
            clock,
            free,
            failed: AtomicBool::new(false),
            last_attempt: Mutex::new(None),
        })
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Reads, or writes after [`Self::prepare_write`].
    pub(super) fn with<T>(&self, work: impl FnOnce(&Databases) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.databases.read() {
            Some(databases) => work(databases),
            None => Err(StoreError::Unavailable("the data directory is being opened again after a failed write".to_owned())),
        }
    }

    /// Refuses a write for which there is no room, and opens the databases again if a write failed before.
    pub(super) fn prepare_write(&self, bytes: usize) -> Result<(), StoreError> {
        let free = (self.free)(self.directory.path()).map_err(|error| StoreError::Unavailable(format!("the disk: {error}")))?;
        if free < self.config.reserve_bytes.saturating_add(bytes as u64) {
            let reserve = self.config.reserve_bytes;
            return Err(StoreError::DiskFull(format!("{free} bytes are free, {reserve} must stay free")));
        }
        if self.failed.load(Ordering::Acquire) { self.open_again() } else { Ok(()) }
    }

    /// Notes that a write failed.
    pub(super) fn set_failed(&self, error: &fjall::Error) {
        tracing::error!(%error, path = %self.directory.path().display(), "the embedded store failed to write");
        self.failed.store(true, Ordering::Release);
    }

    fn open_again(&self) -> Result<(), StoreError> {
        const PAUSE: Duration = Duration::from_secs(1);
        let now = self.clock.monotonic();
        let mut last = self.last_attempt.lock();
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        if last.is_some_and(|last| now.saturating_sub(last) < PAUSE) {
            return Err(StoreError::Unavailable("a write failed; the store is about to try again".to_owned()));
        }
        *last = Some(now);
        let mut databases = self.databases.write();
        // Closed first: the files are locked.
        *databases = None;
        *databases = Some(open(&self.directory, &self.config, &self.clock).map_err(|error| to_store_error(&error))?);
        self.failed.store(false, Ordering::Release);
        tracing::warn!("the embedded store was opened again after a failed write");
        Ok(())
    }
}

/// Cuts the journals off where a power failure tore them. Whatever was acknowledged as durable lies before: each write to `log` is synced
/// before the next begins, so what is torn there was the last; what is lost of `rows` its logs bring back.
fn mend(directory: &Directory) -> Result<(), StoreError> {
    for part in [LOG, ROWS] {
        let folder = directory.part(part);
        let failed = |error: io::Error| StoreError::Setup(format!("{} cannot be read: {error}", folder.display()));
        if !folder.exists() {
            continue;
        }
        match journal::examine(&folder).map_err(failed)? {
            None | Some((_, Tail::Clean)) => {}
            Some((path, Tail::Damaged(at))) if part == LOG => {
                let (directory, path) = (directory.path().display(), path.display());
                let what = format!("{path} does not read at byte {at}, before its end; restore it from a backup");
                return Err(StoreError::Setup(format!("the data directory {directory} is damaged: {what}")));
            }
            Some((path, Tail::Torn(at) | Tail::Damaged(at))) => {
                tracing::warn!(path = %path.display(), at, "a write that did not reach the disk as a whole is cut off");
                journal::cut(&path, at).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn open(directory: &Directory, config: &EmbeddedConfig, clock: &Arc<dyn Clock>) -> fjall::Result<Databases> {
    let log = builder(directory.part(LOG), config.cache_bytes / 4, clock).open()?;
    let rows = builder(directory.part(ROWS), config.cache_bytes - config.cache_bytes / 4, clock).open()?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(config.memtable_bytes);
    let entries = log.keyspace("entries", options)?;
    let conditional = log.keyspace("conditional", options)?;
    let derived = rows.keyspace("derived", options)?;
    Ok(Databases { log, entries, conditional, rows, derived })
}

fn builder(path: PathBuf, cache_bytes: u64, clock: &Arc<dyn Clock>) -> fjall::DatabaseBuilder<Database> {
    // A journal holds what is not sorted to disk yet; 64 MiB is the least the library takes.
    const JOURNALS: u64 = 64 << 20;
    let clock = Arc::clone(clock);
    Database::builder(path)
        .cache_size(cache_bytes)
        .max_journaling_size(JOURNALS)
        .worker_threads(2)
        .with_compaction_filter_factories(Arc::new(move |keyspace| match keyspace {
            "conditional" | "derived" => Some(Arc::new(Purge::new(Arc::clone(&clock)))),
            _ => None,
        }))
}

pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// What a failed read means, or a write that did not begin.
pub(super) fn to_store_error(error: &fjall::Error) -> StoreError {
    let io = match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => Some(io),
        _ => None,
    };
    match (io, error) {
        (Some(io), _) if io.kind() == io::ErrorKind::StorageFull => StoreError::DiskFull(error.to_string()),
        (Some(_), _) | (None, fjall::Error::Poisoned) => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Corrupt(error.to_string()),
    }
}
