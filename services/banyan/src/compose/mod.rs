//! The composition root: puts store, bus, runtime and roles together and runs them to the end.

mod announce;
mod roles;
mod store;

use std::{error::Error, sync::Arc};

use banyan_core::{Clock, Entropy, SystemClock, SystemEntropy};
use banyan_log::LogConfig;
use banyan_runtime::{NodeInfo, Parts, Runtime, Shutdown, telemetry};
use banyan_tenants::Tenants;
use tonic::service::Routes;

use crate::config::Config;

type AnyError = Box<dyn Error>;

/// Runs the homeserver until it is told to end; gives whether all was well.
pub(crate) async fn serve(config: Config) -> Result<bool, AnyError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let node_id = Parts::identify(&*entropy);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let telemetry = telemetry::init(&config.telemetry, &identity(&config, &node_id, &version))?;
    let shutdown = Shutdown::new(config.shutdown.clone());
    shutdown.listen_for_signals()?;
    let bus = banyan_bus::open(&config.bus).await?;
    let store = store::open(&config.store, &clock, &entropy, &shutdown).await?;
    let parts = Parts {
        config: config.runtime(),
        node_id,
        version,
        clock: clock.clone(),
        entropy: entropy.clone(),
        store: store.clone(),
        bus,
        log: LogConfig::default(),
        telemetry,
        shutdown,
        shards: None,
        exclusive: !config.store.is_shared(),
    };
    let runtime = Runtime::prepare(parts).await?;
    let context = runtime.context().clone();
    let tenants = Tenants::load(&config.tenants, &*store, &*clock, &*entropy).await?;

    let mut routes = Routes::builder();
    let internal = roles::internal(&context, &tenants, &config, &mut routes)?;
    // Bound before anything is claimed: a port that is in use must not cost the others a hand-over.
    let public = roles::bind_public(&context, &tenants, &config).await?;
    let running = runtime.start(routes, internal)?;
    announce::when_ready(&context, public.start(), &config);
    Ok(running.run_to_end().await)
}

/// How this process is named in logs and traces. Its address is not known before it listens.
fn identity(config: &Config, node_id: &str, version: &str) -> NodeInfo {
    NodeInfo {
        id: node_id.to_owned(),
        addr: config.node.listen.to_string(),
        roles: config.node.roles.clone(),
        draining: false,
        version: version.to_owned(),
    }
}
