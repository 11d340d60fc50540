//! `banyan serve`

use std::error::Error;

use banyan_runtime::Role;
use clap::Args;

use super::ConfigSource;
use crate::{compose, config::Config};

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    source: ConfigSource,
    /// A role to run; repeat it for several. Default: what the configuration says, and without a word there, every role.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let mut config = Config::read(self.source.config.as_deref())?;
        if !self.roles.is_empty() {
            config.node.roles = self.roles;
            config.check_topology()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("banyan").build()?;
        let well = runtime.block_on(compose::serve(config))?;
        // Tasks that block (a last read of the store) must not hold the process back.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        if well { Ok(()) } else { Err("a vital part ended; the log says which".into()) }
    }
}
