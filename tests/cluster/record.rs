//! Which processes were started: their ids on disk, with the time of their start, so that no other process is ever taken for one of them.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::layout::Layout;

/// A process that was started and runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) pid: i32,
    start: String,
}

/// Starts a process that outlives this one, and records it.
pub(crate) fn launch(layout: &Layout, name: &str, mut command: Command) -> Result<Child, String> {
    use std::os::unix::process::CommandExt as _;
    let explain = |error: io::Error| format!("{name} cannot be started: {error}");
    let log = fs::File::options().create(true).append(true).open(layout.log(name)).map_err(explain)?;
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(explain)?).stderr(log).process_group(0);
    let mut child = command.spawn().map_err(explain)?;
    let pid = child.id();
    let recorded = start_of(pid).and_then(|start| fs::write(layout.pid(name), format!("{pid} {start}")));
    recorded.map_err(|error| {
        // One that is not recorded could not be stopped later. Failing means that it has ended.
        let _ = child.kill();
        explain(error)
    })?;
    Ok(child)
}

/// Every recorded process that runs; records of others are removed.
pub(crate) fn running(layout: &Layout) -> io::Result<Vec<Running>> {
    let mut running = Vec::new();
    let entries = match fs::read_dir(layout.dir.join("pids")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(running),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        match read(&path) {
            Some(process) if process.is_running() => running.push(process),
            _ => fs::remove_file(&path)?,
        }
    }
    running.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(running)
}

fn read(path: &Path) -> Option<Running> {
    let text = fs::read_to_string(path).ok()?;
    let (pid, start) = text.split_once(' ')?;
    Some(Running { name: path.file_name()?.to_str()?.to_owned(), pid: pid.parse().ok()?, start: start.to_owned() })
}

impl Running {
    /// Whether it runs still, and is the process that was started.
    pub(crate) fn is_running(&self) -> bool {
        u32::try_from(self.pid).ok().and_then(|pid| start_of(pid).ok()).is_some_and(|start| start == self.start)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_running() {
            // Failing means that it has ended meanwhile.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits until it has ended; false if it has not within `patience`.
    pub(crate) async fn ended(&self, patience: Duration) -> bool {
        let wait = async {
            while self.is_running() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }
}

/// When a process started, as the system has it; an error if there is no such process or it has ended.
fn start_of(pid: u32) -> io::Result<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // After the name in brackets, which may hold anything: state, …, and as the twentieth the start in ticks since boot.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        return match (fields.first(), fields.get(19)) {
            (Some(state), Some(start)) if *state != "Z" => Ok((*start).to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output()?;
    let start = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if start.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(start) }
}
