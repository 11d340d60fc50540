//! What the cluster is made of, and where.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use banyan_testkit::{cassandra::CassandraOptions, nats};
use banyan_tests::{binary, cluster::ROLES};

/// The address of NATS and Cassandra; deploy/cluster/banyan.toml names it too.
pub(crate) const SERVERS: &str = "127.0.77.1";
/// Where replicas of a role begin to listen.
const CLIENT: u16 = 8108;
const FEDERATION: u16 = 8148;
const ADMIN: u16 = 8120;
const GRPC: u16 = 8130;
const REPLICAS: u16 = 2;

/// Where things are.
pub(crate) struct Layout {
    workspace: PathBuf,
    /// Data, logs and process ids.
    pub(crate) dir: PathBuf,
}

/// A process of Banyan.
pub(crate) struct Replica {
    pub(crate) name: String,
    role: &'static str,
    number: u16,
    /// Its place among all.
    index: u16,
}

impl Replica {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let all = ROLES.into_iter().flat_map(|role| (0..REPLICAS).map(move |number| (role, number)));
        all.zip(0..).map(|((role, number), index)| Self { name: format!("{role}-{number}"), role, number, index }).collect()
    }

    /// Base URL of the client-server API, if this has it.
    pub(crate) fn client_url(&self) -> Option<String> {
        (self.role == "client-api").then(|| format!("http://127.0.0.1:{}", CLIENT + self.number))
    }

    /// Base URL of health and metrics.
    pub(crate) fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", ADMIN + self.index)
    }

    fn ports(&self) -> Vec<u16> {
        let public = match self.role {
            "client-api" => Some(CLIENT + self.number),
            "federation-api" => Some(FEDERATION + self.number),
            _ => None,
        };
        [ADMIN + self.index, GRPC + self.index].into_iter().chain(public).collect()
    }

    /// The command that runs it.
    pub(crate) fn command(&self, layout: &Layout) -> Command {
        let mut command = Command::new(binary::banyan());
        command.arg("serve").arg("--config").arg(layout.workspace.join("deploy/cluster/banyan.toml")).args(["--role", self.role]);
        let address = |port: u16| format!("127.0.0.1:{port}");
        command
            .env("BANYAN_NODE__LISTEN", address(GRPC + self.index))
            .env("BANYAN_NODE__ADMIN_LISTEN", address(ADMIN + self.index))
            .env("BANYAN_HTTP__CLIENT__LISTEN", address(CLIENT + self.number))
            .env("BANYAN_HTTP__FEDERATION__LISTEN", address(FEDERATION + self.number));
        command
    }
}

impl Layout {
    /// In data/cluster of the workspace that this program was built from.
    pub(crate) fn of_workspace() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned();
        Self { dir: workspace.join("data/cluster"), workspace }
    }

    /// Makes the directories.
    pub(crate) fn create(&self) -> io::Result<()> {
        ["cassandra", "logs", "pids"].iter().try_for_each(|dir| fs::create_dir_all(self.dir.join(dir)))
    }

    /// Where a process's output goes.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Where a process's id is kept.
    pub(crate) fn pid(&self, name: &str) -> PathBuf {
        self.dir.join("pids").join(name)
    }

    /// The commands of NATS and Cassandra. Fetches them if need be.
    pub(crate) fn servers(&self) -> Result<Vec<(&'static str, Command)>, String> {
        let mut nats = Command::new(nats::program()?);
        nats.args(["--addr", SERVERS, "--port", "4222"]);
        let cassandra = CassandraOptions::default().lasting_command(&self.dir.join("cassandra"), SERVERS);
        Ok(vec![("nats", nats), ("cassandra", cassandra)])
    }

    /// Addresses that everything will listen on.
    pub(crate) fn addresses(&self) -> Vec<(String, String)> {
        let servers = [("nats", 4222), ("cassandra", 9042), ("cassandra", 7000)];
        let servers = servers.into_iter().map(|(name, port)| (name.to_owned(), format!("{SERVERS}:{port}")));
        let replicas = Replica::all();
        let banyan =
            replicas.iter().flat_map(|own| own.ports().into_iter().map(|port| (own.name.clone(), format!("127.0.0.1:{port}"))));
        servers.chain(banyan).collect()
    }
}
