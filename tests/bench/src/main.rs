//! A load generator that drives any Matrix homeserver. It starts a target and, where one is given, a peer, runs the same scenarios
//! against both in one run, and prints a table with the ratios: on a shared machine only those mean much.

mod connection;
mod people;
mod report;
mod scenarios;
mod target;

use std::{error::Error, path::PathBuf, slice, time::Duration};

use clap::{Parser, ValueEnum};
use people::Person;
use report::{Better, Figure};
use scenarios::{accounts, cluster, delivery, initial_sync, keys, many_rooms, sends, wake};
use target::Target;

#[derive(Parser)]
#[command(about = "Measures a Matrix homeserver, and a peer beside it.")]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_values_t = [Scenario::All])]
    scenarios: Vec<Scenario>,
    /// Launcher of the homeserver.
    #[arg(long, default_value = "tests/conformance/launch")]
    launcher: PathBuf,
    /// Launcher of a peer to compare with.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// The peer's name in the table.
    #[arg(long, default_value = "peer")]
    peer_name: String,
    /// Seconds that each load lasts.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Long polls to wake.
    #[arg(long, default_value_t = 1000)]
    readers: usize,
    /// Rooms of someone in many.
    #[arg(long, default_value_t = 1000)]
    rooms: usize,
    /// People with keys.
    #[arg(long, default_value_t = 1000)]
    people: usize,
}

impl Arguments {
    fn wants(&self, scenario: Scenario) -> bool {
        self.scenarios.iter().any(|wanted| *wanted == scenario || *wanted == Scenario::All)
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Everything below.
    All,
    /// Start-up time and idle memory.
    Idle,
    /// Sends per second in 64 rooms and in one, and memory after.
    Sends,
    /// From a send to another client's sync, unloaded and at half load.
    Delivery,
    /// One message to many idle long polls.
    Wake,
    /// An initial sync with many rooms.
    InitialSync,
    /// The first answer of a sliding sync, and incremental syncs, with many rooms.
    ManyRooms,
    /// A query about the keys of many users, messages to as many devices, and one-time-key claims per second.
    Keys,
    /// Logins and `/whoami` per second.
    Accounts,
    /// Sends per second in a cluster, and the stalls of senders when a roomserver is killed or drained. No peer takes part.
    Cluster,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    println!("machine: {}", machine());
    let peer = match &arguments.peer {
        Some(launcher) => Some(measure(&arguments.peer_name, launcher, &arguments).await?),
        None => None,
    };
    let mut figures = measure("banyan", &arguments.launcher, &arguments).await?;
    if arguments.wants(Scenario::Cluster) {
        figures.extend(cluster::run(arguments.length()).await?);
    }
    report::print("banyan", &figures, peer.as_ref().map(|figures| (arguments.peer_name.as_str(), figures.as_slice())));
    Ok(())
}

async fn measure(name: &str, launcher: &std::path::Path, arguments: &Arguments) -> Result<Vec<Figure>, Box<dyn Error>> {
    let wanted = |scenario| arguments.wants(scenario);
    let length = arguments.length();
    let mut figures = Vec::new();
    if wanted(Scenario::Idle) {
        let target = Target::start(name, launcher).await?;
        figures.push(Figure::millis("start-up, empty", target.start_up));
        tokio::time::sleep(Duration::from_secs(3)).await;
        figures.push(Figure::new("resident memory, idle", target.resident_mib()?, "MiB", Better::Less));
    }
    if wanted(Scenario::Sends) || wanted(Scenario::Delivery) {
        let target = Target::start(name, launcher).await?;
        let many = sends::run(slice::from_ref(&target.server), 64, 64, length).await?;
        let half_load = many[0].value / 2.0;
        if wanted(Scenario::Sends) {
            figures.extend(many);
            figures.extend(sends::run(slice::from_ref(&target.server), 64, 1, length).await?);
            figures.push(Figure::new("resident memory, after the load", target.resident_mib()?, "MiB", Better::Less));
        }
        if wanted(Scenario::Delivery) {
            figures.extend(delivery::run(&target.server, 0.0, 300, "unloaded").await?);
            figures.extend(delivery::run(&target.server, half_load, 300, "at half load").await?);
        }
    }
    if wanted(Scenario::Wake) {
        let target = Target::start(name, launcher).await?;
        figures.extend(wake::run(&target.server, arguments.readers).await?);
    }
    if wanted(Scenario::InitialSync) || wanted(Scenario::ManyRooms) {
        let target = Target::start(name, launcher).await?;
        let person = Person::register(&target.server, "manyrooms").await?;
        let rooms = person.make_rooms(arguments.rooms).await?;
        if wanted(Scenario::InitialSync) {
            figures.extend(initial_sync::run(&person, rooms.len()).await?);
        }
        if wanted(Scenario::ManyRooms) {
            figures.extend(many_rooms::run(&person, &rooms).await?);
        }
    }
    if wanted(Scenario::Keys) {
        let target = Target::start(name, launcher).await?;
        figures.extend(keys::run(&target.server, arguments.people, length).await?);
    }
    if wanted(Scenario::Accounts) {
        let target = Target::start(name, launcher).await?;
        figures.extend(accounts::run(&target.server, length).await?);
    }
    Ok(figures)
}

/// Cores, memory and model of this machine.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown")
        .trim_start_matches([' ', '\t', ':'])
        .to_owned();
    let memory = read("/proc/meminfo");
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    format!("{cores} cores ({model}), {:.0} GiB of memory, shared with the load generator", kib.unwrap_or(0.0) / 1_048_576.0)
}
