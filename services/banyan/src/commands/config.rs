//! `banyan config`

use clap::Subcommand;

use crate::config;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Config {
    /// Print every option with its meaning and default, as a file to start from.
    Example,
}

impl Config {
    pub(super) fn run(self) {
        match self {
            Self::Example => print!("{}", banyan_runtime::config::example::<config::Config>()),
        }
    }
}
