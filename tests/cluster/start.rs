//! `cluster start`

use std::{fs::File, net::TcpListener, process::Child, time::Duration};

use banyan_tests::Homeserver;
use reqwest::Method;
use tokio::net::TcpStream;

use crate::{
    layout::{Layout, Replica, SERVERS},
    record::{launch, running},
    stop,
};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Starts everything, or nothing.
pub(crate) async fn start(layout: &Layout) -> Result<(), String> {
    let explain = |error: std::io::Error| format!("{}: {error}", layout.dir.display());
    layout.create().map_err(explain)?;
    let lock = File::create(layout.dir.join("lock")).map_err(explain)?;
    lock.try_lock().map_err(|_| "it is being started or stopped just now".to_owned())?;
    let there = running(layout).map_err(explain)?;
    if !there.is_empty() {
        return Err(format!("it runs already ({} processes); `make cluster-stop` ends it", there.len()));
    }
    check_addresses(layout)?;
    if let Err(error) = start_all(layout).await {
        eprintln!("cluster: ending what was started");
        stop::stop_all(layout).await?;
        return Err(error);
    }
    print!("{}", instructions(layout));
    Ok(())
}

fn check_addresses(layout: &Layout) -> Result<(), String> {
    let taken = layout.addresses().into_iter().find_map(|(name, address)| {
        let error = TcpListener::bind(&address).err()?;
        Some(format!("{name} cannot have the address {address}: {error}"))
    });
    taken.map_or(Ok(()), Err)
}

async fn start_all(layout: &Layout) -> Result<(), String> {
    println!("Starting NATS and Cassandra ...");
    for (name, command) in layout.servers()? {
        let mut child = launch(layout, name, command)?;
        let address = if name == "nats" { format!("{SERVERS}:4222") } else { format!("{SERVERS}:9042") };
        until(layout, name, &mut child, async || TcpStream::connect(&address).await.is_ok()).await?;
    }
    println!("Starting Banyan ...");
    let replicas = Replica::all();
    let mut started = Vec::new();
    for replica in &replicas {
        started.push((replica, launch(layout, &replica.name, replica.command(layout))?));
    }
    for (replica, child) in &mut started {
        let admin = Homeserver::new(&replica.admin_url());
        let is_ready = async || admin.request(Method::GET, "/health/ready", None, None).await.is_ok();
        until(layout, &replica.name, child, is_ready).await?;
    }
    Ok(())
}

/// Waits until a process is ready.
async fn until(layout: &Layout, name: &str, child: &mut Child, mut ready: impl AsyncFnMut() -> bool) -> Result<(), String> {
    let log = layout.log(name);
    let wait = async {
        while !ready().await {
            if let Ok(Some(status)) = child.try_wait() {
                let output = std::fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<&str> = output.lines().collect();
                let tail = lines[lines.len().saturating_sub(10)..].join("\n");
                return Err(format!("{name} ended ({status}); the end of {}:\n{tail}", log.display()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| Err(format!("{name} was not ready within {PATIENCE:?}; its log is {}", log.display())))
}

fn instructions(layout: &Layout) -> String {
    let replicas = Replica::all();
    let clients: Vec<String> = replicas.iter().filter_map(Replica::client_url).collect();
    let mut text = format!("Banyan runs as {} processes over NATS and Cassandra.\n", replicas.len());
    for url in &clients {
        text.push_str(&format!("  client-server API: {url}  (point any Matrix client at either)\n"));
    }
    for replica in &replicas {
        text.push_str(&format!("  {:<18} {url}/health/ready, {url}/metrics\n", replica.name, url = replica.admin_url()));
    }
    text.push_str(&format!(
        "  logs: {}\n  data: {}, kept over restarts\n",
        layout.dir.join("logs").display(),
        layout.dir.display()
    ));
    text.push_str(&format!(
        "To make the first account, register in a client, or:\n  curl {}/_matrix/client/v3/register -d '{{\"username\":\"alice\",\
         \"password\":\"CHANGE ME\",\"auth\":{{\"type\":\"m.login.dummy\"}}}}'\nIts user id will be @alice:localhost.\n\
         `make cluster-stop` ends everything.\n",
        clients.first().map_or("", String::as_str)
    ));
    text
}
