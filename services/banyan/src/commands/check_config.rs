//! `banyan check-config`

use std::error::Error;

use clap::Args;

use super::ConfigSource;
use crate::config::Config;

#[derive(Args, Debug)]
pub(super) struct CheckConfig {
    #[command(flatten)]
    source: ConfigSource,
}

impl CheckConfig {
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let config = Config::read(self.source.config.as_deref())?;
        let names: Vec<&str> = config.tenants.iter().map(|tenant| tenant.server_name.as_str()).collect();
        println!("the configuration is good: {} tenant(s) ({})", names.len(), names.join(", "));
        Ok(())
    }
}
