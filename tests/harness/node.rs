//! One process of Banyan.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use banyan_testkit::{ports::free_port, process::Process};
use nix::sys::signal::Signal;

use crate::{Homeserver, binary};

/// Long enough for a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// What all processes of an installation have in common, as TOML: store, bus, tenants and anything else.
#[derive(Clone, Debug, Default)]
pub struct Common(pub String);

impl Common {
    /// The embedded store at `path`.
    #[must_use]
    pub fn embedded(path: &Path) -> Self {
        Self(format!("[store]\nkind = \"embedded\"\npath = \"{}\"\n", path.display()))
    }

    /// A CQL store at `contact_point` and NATS at `nats`.
    #[must_use]
    pub fn clustered(contact_point: &str, keyspace: &str, nats: &str) -> Self {
        Self(format!(
            "[store]\nkind = \"cql\"\ncontact_points = [\"{contact_point}\"]\nkeyspace = \"{keyspace}\"\n\
             replication = {{ class = \"SimpleStrategy\", replication_factor = \"1\" }}\n\n\
             [bus]\nkind = \"nats\"\n\n[bus.nats]\nservers = [\"{nats}\"]\n"
        ))
    }

    /// Adds a tenant where anyone may register, without rate limits. `any_host`: it also answers to hosts that no tenant names.
    #[must_use]
    pub fn tenant(mut self, server_name: &str, any_host: bool) -> Self {
        let hosts = if any_host { "hosts = [\"*\"]\n" } else { "" };
        self.0.push_str(&format!(
            "\n[[tenants]]\nserver_name = \"{server_name}\"\n{hosts}registration = {{ open = true }}\nrate_limits = {{ enabled = false }}\n"
        ));
        self
    }

    /// Adds sections as they are.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        self.0 = format!("{toml}\n{}", self.0);
        self
    }

    /// Passwords cost nothing, so that tests with many accounts do not wait for them.
    #[must_use]
    pub fn cheap_passwords(self) -> Self {
        self.with("[userserver.passwords]\nmemory_kib = 64\niterations = 1\n")
    }
}

/// A process of Banyan, with addresses that it keeps over restarts.
#[derive(Debug)]
pub struct Node {
    name: String,
    dir: PathBuf,
    client: u16,
    federation: u16,
    admin: u16,
    process: Option<Process>,
}

impl Node {
    /// Writes the configuration of a process that runs `roles` (none: all of them). `dir` must exist.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn new(name: &str, dir: &Path, roles: &[&str], common: &Common) -> Self {
        let node = Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
            client: free_port(),
            federation: free_port(),
            admin: free_port(),
            process: None,
        };
        let roles = if roles.is_empty() { String::new() } else { format!("roles = {roles:?}\n") };
        let (client, federation, admin) = (node.client, node.federation, node.admin);
        let own = format!(
            "[node]\nlisten = \"127.0.0.1:{}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n{roles}\n[http.client]\nlisten = \"127.0.0.1:{client}\"\n\n\
             [http.federation]\nlisten = \"127.0.0.1:{federation}\"\n\n",
            free_port()
        );
        fs::write(node.config_file(), own + &common.0).expect("the configuration file");
        node
    }

    /// Its configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join(format!("{}.toml", self.name))
    }

    /// What it printed, over all its runs.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    /// Starts the process without waiting for it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn(&mut self) {
        let mut command = Command::new(binary::banyan());
        command.current_dir(&self.dir).arg("serve").arg("--config").arg(self.config_file());
        self.process = Some(Process::start(&self.name, command, &self.log_file()).expect("banyan starts"));
    }

    /// Starts the process and waits until it is ready.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Waits until the process is ready.
    ///
    /// # Panics
    /// If it ends or is not ready in time.
    pub async fn ready(&mut self) {
        let wait = async {
            loop {
                if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                    panic!("{} ended: {status}\n{}", self.name, self.output());
                }
                if self.is_ready().await {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{} was not ready in time\n{}", self.name, self.output());
        }
    }

    /// Whether /health/ready answers 200.
    pub async fn is_ready(&self) -> bool {
        let answer = Homeserver::new(&self.admin_url()).request(reqwest::Method::GET, "/health/ready", None, None).await;
        answer.is_ok()
    }

    /// The process, if it was started and not stopped.
    ///
    /// # Panics
    /// If it was not.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a started process")
    }

    /// Ends it with SIGTERM and waits until it has drained.
    ///
    /// # Panics
    /// If it does not end in time, or not well.
    pub async fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal(Signal::SIGTERM);
        let status = process.wait(PATIENCE).await;
        assert!(status.success(), "{} did not end well: {status}\n{}", self.name, self.output());
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGSTOP);
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGCONT);
        }
    }

    /// Base URL of the client-server API.
    #[must_use]
    pub fn client_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// Base URL of the server-server API, plain HTTP here.
    #[must_use]
    pub fn federation_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.federation)
    }

    /// Base URL of health and metrics.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// Its client-server API.
    #[must_use]
    pub fn homeserver(&self) -> Homeserver {
        Homeserver::new(&self.client_url())
    }
}

/// A program that is expected to end by itself: its exit code and everything it printed.
///
/// # Errors
/// When it cannot be started.
pub fn run_to_end(arguments: &[&str], dir: &Path) -> io::Result<(Option<i32>, String)> {
    let output = Command::new(binary::banyan()).args(arguments).current_dir(dir).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}
