//! Two replicas of every role over NATS and Cassandra: sends per second, and how long senders wait when a roomserver is killed or drained.

use std::time::Duration;

use banyan_tests::{ClientError, Cluster, Homeserver, Traffic};

use super::sends;
use crate::{
    connection::RequestError,
    people::Server,
    report::{Better, Figure},
};

const TENANT: &str = "bench.localhost";
/// Rooms that are watched for stalls, each with one sender and one reader.
const ROOMS: usize = 20;
/// How often each failure is made; the worst counts.
const TIMES: usize = 3;
/// Longer than it takes until shards are back where they belong.
const SETTLE: Duration = Duration::from_secs(5);

/// Why the scenario failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    Load(#[from] RequestError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Starts an installation of the `banyan` that was built beside this program.
pub(crate) async fn run(length: Duration) -> Result<Vec<Figure>, ClusterError> {
    let mut cluster = Cluster::start(2, &[TENANT]).await;
    let urls = cluster.client_urls();
    let address = |url: &String| url.trim_start_matches("http://").to_owned();
    let server = |url: &String| Server { address: address(url), host: TENANT.to_owned(), process: None };
    let servers: Vec<Server> = urls.iter().map(server).collect();
    let mut figures = sends::run(&servers, 64, 64, length).await?;
    figures.iter_mut().for_each(|figure| figure.name = format!("cluster: {}", figure.name));
    figures.extend(stalls(&mut cluster, &urls).await?);
    Ok(figures)
}

/// The longest time that any sender waited from one acknowledgement to the next, pauses between messages included.
async fn stalls(cluster: &mut Cluster, urls: &[String]) -> Result<Vec<Figure>, ClusterError> {
    let servers: Vec<Homeserver> = urls.iter().map(|url| Homeserver::new(url)).collect();
    let traffic = Traffic::start(&servers, ROOMS, "stall").await?;
    settle(&traffic).await;
    settle(&traffic).await;
    let mut worst = [
        ("nothing broken", traffic.longest_stall().await),
        ("kill -9 of a roomserver", Duration::ZERO),
        ("its return", Duration::ZERO),
        ("drain of a roomserver", Duration::ZERO),
        ("its return after the drain", Duration::ZERO),
    ];
    for _ in 0..TIMES {
        settle(&traffic).await;
        cluster.replica("roomserver", 0).kill();
        let mut seen = vec![observe(&traffic).await];
        cluster.replica("roomserver", 0).start().await;
        seen.push(observe(&traffic).await);
        settle(&traffic).await;
        cluster.replica("roomserver", 1).stop().await;
        seen.push(observe(&traffic).await);
        cluster.replica("roomserver", 1).start().await;
        seen.push(observe(&traffic).await);
        for ((_, worst), stall) in worst[1..].iter_mut().zip(seen) {
            *worst = stall.max(*worst);
        }
    }
    let messages = traffic.finish().await;
    let figure = |(what, stall)| Figure::millis(format!("cluster: longest wait of {ROOMS} senders, {what}"), stall);
    let checked = Figure::new("cluster: messages checked to be there once and in order", messages as f64, "", Better::More);
    Ok(worst.into_iter().map(figure).chain([checked]).collect())
}

/// Lets shards come to rest, and begins a new measurement.
async fn settle(traffic: &Traffic) {
    tokio::time::sleep(SETTLE).await;
    traffic.longest_stall().await;
}

async fn observe(traffic: &Traffic) -> Duration {
    traffic.progress(5).await;
    tokio::time::sleep(SETTLE).await;
    traffic.longest_stall().await
}
