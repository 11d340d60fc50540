//! A store, a bus, a client-api that listens, and users who are logged in.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use banyan_bus::LocalBus;
use banyan_client_api::{ClientApi, ClientApiConfig};
use banyan_core::{LogId, RequestId, ShardCount, SystemClock, SystemEntropy};
use banyan_log::{Applier, LogConfig, OwnedLog, Proposal};
use banyan_proto::{
    roomserver::room_service_server::RoomServiceServer,
    sync::sync_service_server::SyncServiceServer,
    transport::Transport,
    users::{AccessToken, AccessTokenIssued, Account, UserEntry, account, user_entry::Kind},
    userserver::user_service_server::UserServiceServer,
};
use banyan_rooms::apply::RoomApplier;
use banyan_runtime::{
    Context, Parts, Role, Runtime, Shutdown, Telemetry,
    config::{ClientListenerConfig, NodeConfig, RuntimeConfig},
};
use banyan_store::{Table, memory::MemoryStore};
use banyan_tenants::{
    ServerKey, Tenant, TenantConfig, Tenants,
    config::{RegistrationConfig, RegistrationTokenConfig},
};
use banyan_users::{TokenHash, UserApplier};
use http::{Method, StatusCode};
use prost::Message as _;
use serde_json::Value;
use tonic::service::Routes;

use crate::fakes::Fakes;

pub(crate) const ALICE: &str = "@alice:one.test";
pub(crate) const ALICE_TOKEN: &str = "alice-token";
pub(crate) const GUEST: &str = "@guest:one.test";
pub(crate) const GUEST_TOKEN: &str = "guest-token";

const SHARDS: u16 = 4;

pub(crate) struct World {
    pub(crate) fakes: Fakes,
    pub(crate) store: MemoryStore,
    pub(crate) context: Context,
    pub(crate) address: SocketAddr,
    /// Another replica of client-api.
    pub(crate) other: SocketAddr,
    logs: HashMap<LogId, OwnedLog>,
    client: reqwest::Client,
}

/// A tenant as most tests want it: open, with a registration token and guests, without limits.
pub(crate) fn open_tenant(name: &str) -> TenantConfig {
    let token =
        RegistrationTokenConfig { token: Some("welcome".to_owned()), uses_allowed: Some(1), ..RegistrationTokenConfig::default() };
    let registration = RegistrationConfig { open: true, guests: true, tokens: vec![token], ..RegistrationConfig::default() };
    let mut tenant = TenantConfig { registration, base_url: Some(format!("https://{name}")), ..TenantConfig::new(name) };
    tenant.rate_limits.enabled = false;
    tenant
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(vec![open_tenant("one.test"), open_tenant("two.test")], ClientApiConfig::default()).await
    }

    pub(crate) async fn with(tenants: Vec<TenantConfig>, config: ClientApiConfig) -> Self {
        let clock = Arc::new(SystemClock::default());
        let tables = [banyan_log::tables::ALL, banyan_runtime::TABLES, banyan_rooms::tables::TABLES, banyan_users::TABLES];
        let tables: Vec<&'static Table> = tables.concat();
        let store = MemoryStore::new(&tables, clock.clone(), 1).unwrap();
        let context = context(&store, clock).await;
        let fakes = Fakes::default();
        let routes = Routes::new(RoomServiceServer::new(fakes.clone()));
        let routes = routes.add_service(UserServiceServer::new(fakes.clone())).add_service(SyncServiceServer::new(fakes.clone()));
        context.peers.set_local(Transport::local(routes));
        let logs = claim_all(&context).await;
        let tenants = tenants.into_iter().map(|tenant| Tenant::new(tenant, ServerKey::generate(&SystemEntropy)).unwrap());
        let tenants = Tenants::new(tenants.collect()).unwrap();
        let listen = ClientListenerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
        for address in &mut addresses {
            let api = ClientApi::bind(&context, tenants.clone(), &listen, config.clone()).await.unwrap();
            *address = api.local_addr();
            api.start();
        }
        let [address, other] = addresses;
        let world = Self { fakes, store, context, address, other, logs, client: reqwest::Client::new() };
        world.add_user(ALICE, ALICE_TOKEN, account::Kind::User).await;
        world.add_user(GUEST, GUEST_TOKEN, account::Kind::Guest).await;
        world
    }

    /// Makes an account with a device and a token.
    pub(crate) async fn add_user(&self, user_id: &str, token: &str, kind: account::Kind) {
        self.user_entry(user_id, Kind::Account(Account { kind: kind.into(), ..Account::default() })).await;
        self.add_token(user_id, token, kind, 0).await;
    }

    /// Issues a token; `expires` in microseconds, 0 for never.
    pub(crate) async fn add_token(&self, user_id: &str, token: &str, kind: account::Kind, expires: i64) {
        let row = AccessToken {
            user_id: user_id.to_owned(),
            device_id: "DEV".to_owned(),
            created: 0,
            expires,
            kind: kind.into(),
            ..AccessToken::default()
        };
        let token_hash = TokenHash::of(token).as_bytes().to_vec().into();
        self.user_entry(user_id, Kind::TokenIssued(AccessTokenIssued { token_hash, token: Some(row) })).await;
    }

    /// Adds an entry to a user's log, as the owner would.
    pub(crate) async fn user_entry(&self, user_id: &str, kind: Kind) {
        let body = UserEntry { user_id: user_id.to_owned(), kind: Some(kind) }.encode_to_vec();
        self.append(LogId::users(self.context.shards.shard_of(user_id)), body).await;
    }

    /// Adds an entry about a name that is no user's to the log of its shard.
    pub(crate) async fn name_entry(&self, name: &str, kind: Kind) {
        let body = UserEntry { user_id: String::new(), kind: Some(kind) }.encode_to_vec();
        self.append(LogId::users(self.context.shards.shard_of(name)), body).await;
    }

    pub(crate) async fn append(&self, log: LogId, body: Vec<u8>) {
        let request_id = Some(RequestId::generate(&*self.context.clock, &*self.context.entropy));
        let proposal = Proposal { request_id, body: body.into(), ..Proposal::default() };
        self.logs[&log].propose(vec![proposal]).unwrap().await.unwrap();
    }

    /// A request to tenant one, with a token or without.
    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address)).header("host", "one.test");
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path, Some(ALICE_TOKEN))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path, Some(ALICE_TOKEN)).body(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path, Some(ALICE_TOKEN)).body(body.to_string())).await
    }

    pub(crate) async fn post_as(&self, token: Option<&str>, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path, token).body(body.to_string())).await
    }
}

/// Status and body of the answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Asserts a Matrix error.
#[track_caller]
pub(crate) fn assert_error(answer: &(StatusCode, Value), status: u16, errcode: &str) {
    assert_eq!((answer.0.as_u16(), answer.1["errcode"].as_str()), (status, Some(errcode)), "{}", answer.1);
    assert!(answer.1["error"].is_string(), "{}", answer.1);
}

async fn context(store: &MemoryStore, clock: Arc<SystemClock>) -> Context {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let node = NodeConfig { roles: Role::ALL.to_vec(), listen: any_port, admin_listen: any_port, ..NodeConfig::default() };
    let parts = Parts {
        config: RuntimeConfig { node, ..RuntimeConfig::default() },
        node_id: Parts::identify(&SystemEntropy),
        version: "test".to_owned(),
        clock,
        entropy: Arc::new(SystemEntropy),
        store: Arc::new(store.clone()),
        bus: Arc::new(LocalBus::new()),
        log: LogConfig::default(),
        telemetry: Telemetry::detached().unwrap(),
        shutdown: Shutdown::default(),
        shards: ShardCount::new(SHARDS),
        exclusive: true,
    };
    Runtime::prepare(parts).await.unwrap().context().clone()
}

/// Owns every log, as roomserver and userserver would.
async fn claim_all(context: &Context) -> HashMap<LogId, OwnedLog> {
    let mut logs = HashMap::new();
    for shard in context.shards.shards() {
        for log in [LogId::rooms(shard), LogId::users(shard)] {
            let applier: Arc<dyn Applier> = if log == LogId::rooms(shard) { Arc::new(RoomApplier) } else { Arc::new(UserApplier) };
            logs.insert(log, context.logs.claim(log, &context.log_node(), applier).await.unwrap());
        }
    }
    logs
}
