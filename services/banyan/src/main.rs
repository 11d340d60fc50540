//! The `banyan` program: command line, configuration, and the composition root that puts roles together.

mod commands;
mod compose;
mod config;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("banyan: {error}");
            ExitCode::FAILURE
        }
    }
}
