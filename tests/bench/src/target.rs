//! A homeserver under test: started by a launcher (the contract is in tests/conformance/README.md) and stopped when dropped.

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use http::Method;

use crate::{connection::Connection, people::Server, scenarios::sends::now};

/// A running homeserver.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) server: Server,
    /// From the start of the process to its first answer.
    pub(crate) start_up: Duration,
    process: Child,
    _data: tempfile::TempDir,
}

impl Target {
    /// Starts a homeserver on free ports with an empty data directory and waits until it answers.
    pub(crate) async fn start(name: &str, launcher: &Path) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let (client, federation) = (free_port()?, free_port()?);
        let address = format!("127.0.0.1:{client}");
        let certificate = certificate(data.path())?;
        std::fs::create_dir(data.path().join("appservices"))?;
        std::fs::create_dir(data.path().join("data"))?;
        let started = now();
        let process = Command::new(launcher)
            .env("HS_NAME", "bench.localhost")
            .env("HS_DATA", data.path().join("data"))
            .env("HS_CLIENT_LISTEN", &address)
            .env("HS_FEDERATION_LISTEN", format!("127.0.0.1:{federation}"))
            .env("HS_PUBLIC_URL", format!("http://{address}"))
            .env("HS_TLS_CERT", &certificate.0)
            .env("HS_TLS_KEY", &certificate.1)
            .env("HS_CA", &certificate.0)
            .env("HS_APPSERVICES", data.path().join("appservices"))
            .env("HS_REGISTRATION_SECRET", "bench")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let server = Server { address, host: "bench.localhost".to_owned(), process: Some(process.id()) };
        let mut target = Self { name: name.to_owned(), server, start_up: Duration::ZERO, process, _data: data };
        target.wait_until_ready().await?;
        target.start_up = started.elapsed();
        Ok(target)
    }

    async fn wait_until_ready(&mut self) -> io::Result<()> {
        for _ in 0..30_000 {
            let mut connection = Connection::new(&self.server.address, &self.server.host, "");
            if connection.raw(Method::GET, "/_matrix/client/versions", None).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("{} ended at once: {status}", self.name)));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(io::Error::other(format!("{} did not answer within a minute", self.name)))
    }

    /// Resident memory in MiB (Linux: VmRSS).
    pub(crate) fn resident_mib(&self) -> io::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// CPU time that a process has taken so far (Linux: fields 14 and 15 of `/proc/<id>/stat`, in hundredths of a second).
pub(crate) fn cpu_time(process: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, a name in brackets, may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * ticks))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn certificate(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let made = banyan_tests::certificate::self_signed(&["bench.localhost", "localhost"]);
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&certificate, made.certificate)?;
    std::fs::write(&key, made.key)?;
    Ok((certificate, key))
}
