//! `cluster start|stop|status`: NATS, Cassandra and two replicas of every role on loopback, for a person to try. They go on running when
//! this program has ended; data and logs stay in data/cluster.

mod layout;
mod record;
mod start;
mod status;
mod stop;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use self::layout::Layout;

#[derive(Debug, Parser)]
struct Cli {
    command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Command {
    /// Start everything and say how to use it.
    Start,
    /// End everything that was started.
    Stop,
    /// Say what runs.
    Status,
}

#[tokio::main]
async fn main() -> ExitCode {
    let layout = Layout::of_workspace();
    let done = match Cli::parse().command {
        Command::Start => start::start(&layout).await,
        Command::Stop => stop::stop(&layout).await,
        Command::Status => status::status(&layout).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}
