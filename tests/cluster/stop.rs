//! `cluster stop`

use std::{fs::File, time::Duration};

use futures::future::join_all;
use nix::sys::signal::Signal;

use crate::{
    layout::Layout,
    record::{Running, running},
};

/// A process may take some of its drain timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends everything that was started.
pub(crate) async fn stop(layout: &Layout) -> Result<(), String> {
    let Ok(lock) = File::open(layout.dir.join("lock")) else {
        println!("Nothing runs.");
        return Ok(());
    };
    lock.try_lock().map_err(|_| "it is being started or stopped just now".to_owned())?;
    let stopped = stop_all(layout).await?;
    if stopped == 0 {
        println!("Nothing runs.");
    } else {
        println!("Ended {stopped} processes. The data is still in {}.", layout.dir.display());
    }
    Ok(())
}

/// Ends Banyan first, then what it needs; gives how many processes there were.
pub(crate) async fn stop_all(layout: &Layout) -> Result<usize, String> {
    let explain = |error: std::io::Error| format!("{}: {error}", layout.dir.display());
    let all = running(layout).map_err(explain)?;
    let is_server = |process: &&Running| ["nats", "cassandra"].contains(&process.name.as_str());
    let (servers, banyan): (Vec<&Running>, Vec<&Running>) = all.iter().partition(is_server);
    for group in [banyan, servers] {
        join_all(group.into_iter().map(end)).await;
    }
    // Removes the records.
    running(layout).map_err(explain)?;
    Ok(all.len())
}

async fn end(process: &Running) {
    process.signal(Signal::SIGTERM);
    if !process.ended(PATIENCE).await {
        eprintln!("cluster: {} (process {}) did not end within {PATIENCE:?}; killing it", process.name, process.pid);
        process.signal(Signal::SIGKILL);
        process.ended(PATIENCE).await;
    }
}
