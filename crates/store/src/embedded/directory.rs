//! The data directory: whose it is, and that only one process uses it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use banyan_core::Entropy;

use crate::StoreError;

/// Raised when an older Banyan could not read what a newer one wrote.
const FORMAT: u32 = 1;
const MARKER: &str = "BANYAN";
const LOCK: &str = "LOCK";

/// A directory that this process holds the lock of.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    installation: String,
    /// Whether the databases inside were made; only then is it an error that they are missing.
    complete: bool,
    /// Holds the lock while it is open.
    _lock: File,
}

impl Directory {
    /// Takes the directory, and makes it if there is none.
    pub(super) fn open(path: &Path, entropy: &dyn Entropy) -> Result<Self, StoreError> {
        let failed = |what: &str, error: io::Error| setup(path, &format!("{what}: {error}"));
        fs::create_dir_all(path).map_err(|error| failed("cannot be made", error))?;
        let is_new = !path.join(MARKER).exists();
        if is_new && let Some(stranger) = stranger(path).map_err(|error| failed("cannot be read", error))? {
            return Err(setup(path, &format!("is no data directory of Banyan's (it holds {stranger:?}); give an empty one")));
        }
        let lock = lock(path)?;
        let (installation, complete) = if path.join(MARKER).exists() {
            read_marker(path)?
        } else {
            let installation = entropy.lowercase(20);
            write_marker(path, &installation, false).map_err(|error| failed("cannot be written to", error))?;
            (installation, false)
        };
        Ok(Self { path: path.to_owned(), installation, complete, _lock: lock })
    }

    /// Where a database of its own lives inside.
    pub(super) fn part(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A database that was made must still be there: opening would quietly make an empty one.
    pub(super) fn check_parts(&self, names: &[&str]) -> Result<(), StoreError> {
        match names.iter().find(|name| self.complete && !self.part(name).join("version").exists()) {
            Some(name) => {
                Err(setup(&self.path, &format!("is damaged: {name}/ is missing or incomplete; restore it from a backup")))
            }
            None => Ok(()),
        }
    }

    /// Notes that the databases inside were made.
    pub(super) fn set_complete(&mut self) -> Result<(), StoreError> {
        if !self.complete {
            write_marker(&self.path, &self.installation, true)
                .map_err(|error| setup(&self.path, &format!("cannot be written to: {error}")))?;
            self.complete = true;
        }
        Ok(())
    }

    pub(super) fn installation(&self) -> &str {
        &self.installation
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn setup(path: &Path, what: &str) -> StoreError {
    StoreError::Setup(format!("the data directory {} {what}", path.display()))
}

/// Something in the directory that Banyan did not put there.
fn stranger(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !["lost+found", LOCK, "BANYAN.new"].contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let failed = |error: io::Error| setup(path, &format!("cannot be locked: {error}"));
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The other process may just be writing it; the message does without then.
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { String::new() } else { format!(" (process {})", pid.trim()) };
            return Err(setup(path, &format!("is in use by another Banyan{pid}; stop that one, or give another directory")));
        }
    }
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn read_marker(path: &Path) -> Result<(String, bool), StoreError> {
    let text =
        fs::read_to_string(path.join(MARKER)).map_err(|error| setup(path, &format!("has an unreadable {MARKER}: {error}")))?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    let damaged = || setup(path, &format!("is damaged: the file {MARKER} does not read as one; restore it from a backup"));
    let format: u32 = field("format").and_then(|format| format.parse().ok()).ok_or_else(damaged)?;
    if format > FORMAT {
        return Err(setup(path, &format!("has format {format}, written by a newer Banyan; this one reads up to {FORMAT}")));
    }
    let installation = field("installation").filter(|id| !id.is_empty()).ok_or_else(damaged)?;
    let complete = field("complete").and_then(|complete| complete.parse().ok()).ok_or_else(damaged)?;
    Ok((installation.to_owned(), complete))
}

fn write_marker(path: &Path, installation: &str, complete: bool) -> io::Result<()> {
    let new = path.join("BANYAN.new");
    let mut file = File::create(&new)?;
    write!(file, "format = {FORMAT}\ninstallation = {installation}\ncomplete = {complete}\n")?;
    file.sync_all()?;
    fs::rename(new, path.join(MARKER))?;
    File::open(path)?.sync_all()
}
