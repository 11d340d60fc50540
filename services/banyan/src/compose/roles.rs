//! Builds the roles that this process runs.

use std::{net::SocketAddr, sync::Arc};

use banyan_client_api::ClientApi;
use banyan_federation_api::FederationApi;
use banyan_rooms::reader::RoomReader;
use banyan_roomserver::{Roomserver, RoomserverParts};
use banyan_runtime::{Context, Role, ShardHost, Stage};
use banyan_sync::SyncRole;
use banyan_tenants::Tenants;
use banyan_users::UserReader;
use banyan_userserver::{Userserver, UserserverParts};
use tonic::service::RoutesBuilder;

use super::AnyError;
use crate::config::Config;

/// Adds the gRPC services of this process's roles; gives those that own shards.
pub(super) fn internal(
    context: &Context,
    tenants: &Tenants,
    config: &Config,
    routes: &mut RoutesBuilder,
) -> Result<Vec<Arc<dyn ShardHost>>, AnyError> {
    let mut hosts: Vec<Arc<dyn ShardHost>> = Vec::new();
    for role in &context.node.roles {
        match role {
            Role::Roomserver => {
                let roomserver = roomserver(context, tenants, config)?;
                routes.add_service(roomserver.service());
                hosts.push(Arc::new(roomserver));
            }
            Role::Userserver => {
                let userserver = userserver(context, tenants, config)?;
                routes.add_service(userserver.service());
                hosts.push(Arc::new(userserver));
            }
            Role::Sync => {
                let sync = Arc::new(sync(context, config));
                routes.add_service(sync.service());
                run_sync(context, sync);
            }
            Role::ClientApi | Role::FederationApi => {}
        }
    }
    Ok(hosts)
}

fn roomserver(context: &Context, tenants: &Tenants, config: &Config) -> Result<Roomserver, AnyError> {
    let parts = RoomserverParts {
        bus: context.bus.clone(),
        store: context.store.clone(),
        clock: context.clock.clone(),
        entropy: context.entropy.clone(),
        shards: context.shards,
        tenants: tenants.clone(),
        logs: context.logs.clone(),
        config: config.roomserver.clone(),
    };
    Ok(Roomserver::new(parts)?)
}

fn userserver(context: &Context, tenants: &Tenants, config: &Config) -> Result<Userserver, AnyError> {
    let parts = UserserverParts {
        store: context.store.clone(),
        clock: context.clock.clone(),
        entropy: context.entropy.clone(),
        shards: context.shards,
        tenants: tenants.clone(),
        logs: context.logs.clone(),
        rooms: RoomReader::new(context.store.clone(), 0),
        tell: Arc::new(banyan_userserver::calls::Roomservers::new(context.router.clone(), context.shards)),
        config: config.userserver.clone(),
    };
    Ok(Userserver::new(parts)?)
}

fn sync(context: &Context, config: &Config) -> SyncRole {
    let Context { router, shards, clock, entropy, .. } = context;
    let owners = Arc::new(banyan_sync::calls::Owners::new(router.clone(), *shards, clock.clone(), entropy.clone()));
    let parts = banyan_sync::Parts {
        bus: context.bus.clone(),
        logs: context.logs.clone(),
        rooms: RoomReader::new(context.store.clone(), config.sync.state_cache_bytes),
        users: UserReader::new(context.store.clone()),
        owner: owners.clone(),
        ask: owners,
        clock: context.clock.clone(),
        shards: context.shards,
    };
    SyncRole::new(parts, config.sync.clone())
}

/// Follows the logs until the background ends; ends long polls as soon as the process is about to, so that their clients go elsewhere.
fn run_sync(context: &Context, sync: Arc<SyncRole>) {
    let (draining, triggered) = (sync.clone(), context.shutdown.triggered());
    context.shutdown.spawn(Stage::Listeners, "end long polls", async move {
        triggered.cancelled().await;
        draining.drain();
    });
    let stop = context.shutdown.stopping(Stage::Background);
    context.shutdown.spawn_vital(Stage::Background, "sync", async move { sync.run(stop).await });
}

/// The public listeners, bound and not yet answering.
pub(super) struct Public {
    client: Option<ClientApi>,
    federation: Option<FederationApi>,
}

/// Where the public listeners answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicAddresses {
    pub(super) client: Option<SocketAddr>,
    pub(super) federation: Option<SocketAddr>,
}

/// Binds the public listeners of this process's roles.
pub(super) async fn bind_public(context: &Context, tenants: &Tenants, config: &Config) -> Result<Public, AnyError> {
    let has = |role| context.node.roles.contains(&role);
    let mut public = Public { client: None, federation: None };
    if has(Role::ClientApi) {
        let bound = ClientApi::bind(context, tenants.clone(), &config.http.client, config.client_api.clone()).await;
        public.client = Some(bound?);
    }
    if has(Role::FederationApi) {
        let bound = FederationApi::bind(context, tenants.clone(), &config.http.federation, config.federation_api.clone()).await;
        public.federation = Some(bound.map_err(|error| format!("http.federation: {error}"))?);
    }
    Ok(public)
}

impl Public {
    /// Answers from now on.
    pub(super) fn start(self) -> PublicAddresses {
        let addresses = PublicAddresses {
            client: self.client.as_ref().map(ClientApi::local_addr),
            federation: self.federation.as_ref().map(FederationApi::local_addr),
        };
        if let Some(client) = self.client {
            client.start();
        }
        if let Some(federation) = self.federation {
            federation.start();
        }
        addresses
    }
}
