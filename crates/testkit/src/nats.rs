//! A real NATS server on loopback.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    cache_dir,
    ports::free_port,
    process::{Process, until},
};

/// The version that is fetched where Go is there.
pub const NATS_VERSION: &str = "v2.15.2";

const START_PATIENCE: Duration = Duration::from_secs(20);

/// A NATS server with a port of its own, which it keeps over restarts. Killed when dropped.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    program: PathBuf,
    dir: TempDir,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Nats {
    /// Starts a server that lets everyone in, and waits until it accepts.
    ///
    /// # Panics
    /// If there is no nats-server and none can be fetched, or it does not start; the text says what to install.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server that wants a user name and a password.
    ///
    /// # Panics
    /// As [`Nats::start`].
    pub async fn start_with_password(user: &str, password: &str) -> Self {
        Self::start_with(&["--user", user, "--pass", password]).await
    }

    /// Starts a server that wants a token.
    ///
    /// # Panics
    /// As [`Nats::start`].
    pub async fn start_with_token(token: &str) -> Self {
        Self::start_with(&["--auth", token]).await
    }

    /// A server that is not running yet, with its port.
    ///
    /// # Panics
    /// If there is no nats-server and none can be fetched.
    pub async fn stopped() -> Self {
        let program = tokio::task::spawn_blocking(program).await.expect("finding nats-server does not panic");
        let program = program.unwrap_or_else(|problem| panic!("{problem}"));
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { port: free_port(), program, dir, arguments: Vec::new(), process: None }
    }

    async fn start_with(arguments: &[&str]) -> Self {
        let mut nats = Self::stopped().await;
        nats.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        nats.run().await;
        nats
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `nats://127.0.0.1:<port>`
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it on its port, if it is not running, and waits until it accepts.
    ///
    /// # Panics
    /// If it does not.
    pub async fn run(&mut self) {
        if self.process.is_some() {
            return;
        }
        let mut command = Command::new(&self.program);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]).args(&self.arguments);
        let log = self.dir.path().join("nats.log");
        let mut process = Process::start("nats-server", command, &log).unwrap_or_else(|error| panic!("{error}"));
        let addr = ("127.0.0.1", self.port);
        until("nats-server to accept", START_PATIENCE, async || {
            let output = process.output();
            assert!(process.ended().is_none(), "nats-server ended:\n{output}");
            TcpStream::connect(addr).await.ok()
        })
        .await;
        self.process = Some(process);
    }

    /// Kills it; connections break at once.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Stops it from running without closing anything: connections hang.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a paused server run on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}

/// The nats-server to use: the fetched one, fetched now if Go is there; else the system's.
///
/// # Errors
/// If there is none and none can be fetched; the text says what to install.
pub fn program() -> Result<PathBuf, String> {
    let bin = cache_dir().join("bin").join(format!("nats-{NATS_VERSION}"));
    let program = bin.join("nats-server");
    if program.is_file() {
        return Ok(program);
    }
    let fetched = match on_path("go") {
        Some(go) => fetch(&go, &bin).map(|()| program),
        None => Err(
            "tests need a NATS server: install Go 1.26 or later (nats-server is fetched with it), or Debian's package nats-server"
                .to_owned(),
        ),
    };
    fetched.or_else(|problem| on_path("nats-server").ok_or(problem))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/usr/local/go/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(more).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Fetches and builds nats-server with Go. Several test processes may want it at once: one works, the others wait.
fn fetch(go: &Path, bin: &Path) -> Result<(), String> {
    let explain = |error: io::Error| format!("cannot fetch nats-server {NATS_VERSION} into {}: {error}", bin.display());
    fs::create_dir_all(bin).map_err(explain)?;
    let lock = File::create(bin.join("lock")).map_err(explain)?;
    lock.lock().map_err(explain)?;
    if bin.join("nats-server").is_file() {
        return Ok(());
    }
    let partial = bin.join("partial");
    let package = format!("github.com/nats-io/nats-server/v2@{NATS_VERSION}");
    let output =
        Command::new(go).args(["install", &package]).env("GOBIN", &partial).env_remove("GOFLAGS").output().map_err(explain)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "`go install {package}` failed: install Debian's package nats-server, or see to it that Go can fetch:\n{why}"
        ));
    }
    // Whole or not there at all.
    fs::rename(partial.join("nats-server"), bin.join("nats-server")).map_err(explain)
}
