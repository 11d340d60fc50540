//! The command line. One command per file.

mod check_config;
mod config;
mod serve;
mod user;
mod version;

use std::{error::Error, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// A Matrix homeserver whose parts scale on their own.
#[derive(Debug, Parser)]
#[command(name = "banyan", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the homeserver: every role, or those named.
    Serve(serve::Serve),
    /// Explain every mistake in a configuration, then exit.
    CheckConfig(check_config::CheckConfig),
    /// About configuration.
    #[command(subcommand)]
    Config(config::Config),
    /// Accounts of a homeserver that runs.
    #[command(subcommand)]
    User(user::User),
    /// Print the program's version.
    Version,
}

/// Where the configuration comes from.
#[derive(Args, Debug)]
struct ConfigSource {
    /// The configuration file (TOML). Environment variables `BANYAN_<SECTION>__<OPTION>` go before it.
    #[arg(long, short, env = "BANYAN_CONFIG")]
    config: Option<PathBuf>,
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::CheckConfig(check) => check.run(),
            Command::Config(config) => {
                config.run();
                Ok(())
            }
            Command::User(user) => user.run(),
            Command::Version => {
                version::run();
                Ok(())
            }
        }
    }
}
