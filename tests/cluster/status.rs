//! `cluster status`

use std::io::{self, Write as _};

use banyan_tests::Homeserver;
use reqwest::Method;

use crate::{
    layout::{Layout, Replica},
    record::running,
};

/// Prints what runs and whether it is ready.
pub(crate) async fn status(layout: &Layout) -> Result<(), String> {
    let running = running(layout).map_err(|error| format!("{}: {error}", layout.dir.display()))?;
    let replicas = Replica::all();
    let mut text = String::new();
    for name in ["nats", "cassandra"].into_iter().chain(replicas.iter().map(|replica| replica.name.as_str())) {
        let state = match running.iter().find(|process| process.name == name) {
            None => "does not run".to_owned(),
            Some(process) => format!("runs as process {}{}", process.pid, readiness(&replicas, name).await),
        };
        text.push_str(&format!("{name:<18} {state}\n"));
    }
    // Whoever closed standard output does not want to know.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

async fn readiness(replicas: &[Replica], name: &str) -> &'static str {
    let Some(replica) = replicas.iter().find(|replica| replica.name == name) else { return "" };
    match Homeserver::new(&replica.admin_url()).request(Method::GET, "/health/ready", None, None).await {
        Ok(_) => ", ready",
        Err(_) => ", not ready",
    }
}
