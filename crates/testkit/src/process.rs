//! Child processes that end with the test, however it ends.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// A running program in a process group of its own, so that its children end with it. Killed when dropped; if the thread is
/// panicking then, the end of its log is printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a program; its output goes to the file `log`.
    ///
    /// # Errors
    /// When the program or the file cannot be opened.
    pub fn start(name: &str, mut command: Command, log: &Path) -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("cannot start {name}: {error}")))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), ended: None })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its output so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If it has not after `patience`.
    pub async fn wait(&mut self, patience: Duration) -> ExitStatus {
        let mut waited = Duration::ZERO;
        let step = Duration::from_millis(10);
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(waited < patience, "{} did not end within {patience:?}", self.name);
            tokio::time::sleep(step).await;
            waited += step;
        }
    }

    /// Sends a signal to the program itself: SIGTERM, SIGSTOP, SIGCONT, SIGKILL.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Failing means that it is gone already.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills it and its children, and waits for it.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            if let Ok(pid) = i32::try_from(self.child.id()) {
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
            self.ended = self.child.wait().ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let tail = &lines[lines.len().saturating_sub(60)..];
            eprintln!("--- the end of {}'s output ({}) ---\n{}", self.name, self.log.display(), tail.join("\n"));
        }
    }
}

/// Waits until `condition` gives something.
///
/// # Panics
/// If it has not within `patience`.
pub async fn until<T>(what: &str, patience: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| panic!("gave up waiting for {what} after {patience:?}"))
}
