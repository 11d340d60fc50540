//! An installation in memory: a store, a bus, and processes that run a userserver.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use banyan_bus::LocalBus;
use banyan_core::{ErrorCode, LogId, LogSeq, RequestId, SeededEntropy, ServiceError, ShardCount, SystemClock};
use banyan_log::{LogConfig, Logs, Node, OwnedLog, Proposal};
use banyan_proto::{
    roomserver::SendEventRequest,
    status::from_status,
    transport::Transport,
    users::{Account, UserEntry, user_entry::Kind},
    userserver::{
        Caller, ChangePasswordRequest, CheckPasswordRequest, ConfirmTokenRequest, DeactivateRequest, FinishDepartureRequest,
        LoginRequest, LoginResponse, LogoutRequest, ModerateAccountRequest, RefreshRequest, RegisterRequest,
        UseRegistrationTokenRequest, use_registration_token_request::Step, user_service_client::UserServiceClient,
    },
};
use banyan_rooms::reader::RoomReader;
use banyan_runtime::ShardHost;
use banyan_store::{Table, memory::MemoryStore};
use banyan_tenants::{
    ServerKey, Tenant, TenantConfig, Tenants,
    config::{LoginConfig, RegistrationTokenConfig},
};
use banyan_users::{PasswordConfig, TokenHash, UserReader, token};
use banyan_userserver::{Userserver, UserserverConfig, UserserverParts, calls::TellRooms};
use prost::Message;
use ruma::{OwnedRoomId, RoomId, UserId};
use tonic::{Response, Status, service::Routes};

pub(crate) const SERVER: &str = "example.org";
/// A tenant without login by password.
pub(crate) const QUIET: &str = "quiet.org";
pub(crate) const PASSWORD: &str = "wonderland-Ünïcode-tea";

/// What all processes share.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) tenants: Tenants,
    pub(crate) shards: ShardCount,
    pub(crate) told: Told,
    bus: Arc<LocalBus>,
}

/// Notes which rooms are told of whose devices and of whose profiles, and is away as often as a test wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(
    pub(crate) Arc<Mutex<Vec<Changed>>>,
    pub(crate) Arc<AtomicUsize>,
    pub(crate) Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) Arc<Mutex<Room>>,
);

/// A room that events are sent to.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) asked: Vec<SendEventRequest>,
    /// What it refuses everything with.
    pub(crate) error: Option<ServiceError>,
}

/// A user, and the rooms that are told of their devices.
pub(crate) type Changed = (String, Vec<String>);

#[async_trait::async_trait]
impl TellRooms for Told {
    async fn device_list(&self, user_id: &UserId, rooms: Vec<OwnedRoomId>) -> Result<(), ServiceError> {
        if self.1.load(Ordering::Relaxed) > 0 {
            self.1.fetch_sub(1, Ordering::Relaxed);
            return Err(ServiceError::unavailable("away"));
        }
        let rooms = rooms.iter().map(ToString::to_string).collect();
        self.0.lock().expect("not poisoned").push((user_id.to_string(), rooms));
        Ok(())
    }

    async fn profile(&self, user_id: &UserId, room_id: &RoomId) -> Result<(), ServiceError> {
        if room_id == "!refuses:x" {
            return Err(ServiceError::forbidden("no"));
        }
        if self.1.load(Ordering::Relaxed) > 0 {
            self.1.fetch_sub(1, Ordering::Relaxed);
            return Err(ServiceError::unavailable("away"));
        }
        self.2.lock().expect("not poisoned").push((user_id.to_string(), room_id.to_string()));
        Ok(())
    }

    async fn send(&self, request: SendEventRequest) -> Result<String, ServiceError> {
        let mut room = self.3.lock().expect("not poisoned");
        let event_id = format!("${}", request.txn_id);
        room.asked.push(request);
        room.error.clone().map_or(Ok(event_id), Err)
    }
}

/// One process with a userserver.
pub(crate) struct Process {
    pub(crate) server: Userserver,
    pub(crate) client: UserServiceClient<Transport>,
    logs: Logs,
    node: Node,
    owned: Mutex<Vec<OwnedLog>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(SystemClock::default());
        let mut tables: Vec<&'static Table> = banyan_userserver::TABLES.to_vec();
        tables.extend(banyan_log::tables::ALL);
        tables.extend(banyan_rooms::tables::TABLES);
        let store = MemoryStore::new(&tables, clock.clone(), 1).expect("tables that do not clash");
        let entropy = Arc::new(SeededEntropy::new(1));
        let tenants = Tenants::new(vec![
            Tenant::new(config(), ServerKey::generate(&*entropy)).expect("a tenant"),
            Tenant::new(
                TenantConfig { login: LoginConfig { password: false, ..LoginConfig::default() }, ..TenantConfig::new(QUIET) },
                ServerKey::generate(&*entropy),
            )
            .expect("a tenant"),
        ])
        .expect("tenants");
        let shards = ShardCount::new(4).expect("a power of two");
        Self { store, clock, entropy, tenants, shards, told: Told::default(), bus: Arc::new(LocalBus::new()) }
    }

    /// A process that owns nothing yet.
    pub(crate) fn process(&self, name: &str) -> Process {
        let store = Arc::new(self.store.clone());
        let logs = Logs::new(store.clone(), self.bus.clone(), self.clock.clone(), self.entropy.clone(), LogConfig::default());
        let server = Userserver::new(UserserverParts {
            store,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            shards: self.shards,
            tenants: self.tenants.clone(),
            logs: logs.clone(),
            rooms: RoomReader::new(Arc::new(self.store.clone()), 0),
            tell: Arc::new(self.told.clone()),
            config: UserserverConfig { passwords: PasswordConfig::cheap() },
        })
        .expect("a userserver");
        let client = UserServiceClient::new(Transport::local(Routes::new(server.service())));
        let node = Node { id: name.to_owned(), addr: format!("{name}:1") };
        Process { server, client, logs, node, owned: Mutex::default() }
    }

    /// A process that owns every shard.
    pub(crate) async fn owner(&self, name: &str) -> Process {
        let process = self.process(name);
        for shard in self.shards.shards() {
            process.claim(LogId::users(shard)).await;
        }
        process
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::generate(&*self.clock, &*self.entropy)
    }

    pub(crate) fn caller(&self, user_id: &str) -> Option<Caller> {
        self.caller_again(user_id, self.request_id())
    }

    /// The caller of a command that may have been tried before.
    pub(crate) fn caller_again(&self, user_id: &str, request_id: RequestId) -> Option<Caller> {
        Some(Caller {
            tenant: SERVER.to_owned(),
            user_id: user_id.to_owned(),
            device_id: String::new(),
            request_id: request_id.to_bytes().to_vec().into(),
        })
    }

    pub(crate) fn registration(&self, user_id: &str) -> RegisterRequest {
        RegisterRequest { caller: self.caller(user_id), password: PASSWORD.to_owned(), ..RegisterRequest::default() }
    }

    pub(crate) fn login(&self, user_id: &str) -> LoginRequest {
        LoginRequest { caller: self.caller(user_id), password: PASSWORD.to_owned(), ..LoginRequest::default() }
    }

    pub(crate) fn logout(&self, user_id: &str, access_token: &str) -> LogoutRequest {
        let token_hash = hash(access_token).as_bytes().to_vec().into();
        LogoutRequest { caller: self.caller(user_id), token_hash, ..LogoutRequest::default() }
    }

    pub(crate) fn token_use(&self, token: &str, session: &str, step: Step) -> UseRegistrationTokenRequest {
        UseRegistrationTokenRequest {
            caller: self.caller(""),
            token: token.to_owned(),
            session: session.to_owned(),
            step: step.into(),
        }
    }

    pub(crate) fn log_of(&self, name: &str) -> LogId {
        LogId::users(self.shards.shard_of(name))
    }

    pub(crate) fn log_of_token(&self, token: &str) -> LogId {
        self.log_of(&token::registration_token_name(SERVER, token))
    }
}

fn config() -> TenantConfig {
    let token = |token: &str, uses_allowed, expires| RegistrationTokenConfig {
        token: Some(token.to_owned()),
        token_file: None,
        uses_allowed,
        expires,
    };
    let mut config = TenantConfig::new(SERVER);
    config.registration.tokens =
        vec![token("three", Some(3), None), token("endless", None, None), token("over", Some(3), Some(1000))];
    config
}

impl Process {
    pub(crate) async fn claim(&self, log: LogId) {
        let owned = self.logs.claim(log, &self.node, self.server.applier()).await.expect("claimed");
        self.server.open(owned.clone()).await.expect("opened");
        self.owned.lock().expect("not poisoned").push(owned);
    }

    /// The process ends without a word: nothing is released.
    pub(crate) fn kill(self) {
        drop(self);
    }

    pub(crate) fn reader(&self) -> &UserReader {
        self.server.reader()
    }

    pub(crate) async fn register(&self, request: RegisterRequest) -> Result<LoginResponse, ServiceError> {
        answer(self.client.clone().register(request).await)
    }

    pub(crate) async fn login(&self, request: LoginRequest) -> Result<LoginResponse, ServiceError> {
        answer(self.client.clone().login(request).await)
    }

    pub(crate) async fn check_password(&self, request: CheckPasswordRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().check_password(request).await).map(|_| ())
    }

    pub(crate) async fn change_password(&self, request: ChangePasswordRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().change_password(request).await).map(|_| ())
    }

    pub(crate) async fn refresh(&self, request: RefreshRequest) -> Result<LoginResponse, ServiceError> {
        answer(self.client.clone().refresh(request).await)
    }

    pub(crate) async fn confirm_token(&self, request: ConfirmTokenRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().confirm_token(request).await).map(|_| ())
    }

    pub(crate) async fn deactivate_account(&self, request: DeactivateRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().deactivate(request).await).map(|_| ())
    }

    pub(crate) async fn finish_departure(&self, request: FinishDepartureRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().finish_departure(request).await).map(|_| ())
    }

    pub(crate) async fn moderate(&self, request: ModerateAccountRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().moderate_account(request).await).map(|_| ())
    }

    pub(crate) async fn logout(&self, request: LogoutRequest) -> Result<(), ServiceError> {
        answer(self.client.clone().logout(request).await).map(|_| ())
    }

    pub(crate) async fn use_token(&self, request: UseRegistrationTokenRequest) -> Result<bool, ServiceError> {
        answer(self.client.clone().use_registration_token(request).await).map(|answer| answer.valid)
    }

    /// Marks an account as deactivated, as an administrator would.
    pub(crate) async fn deactivate(&self, world: &World, user_id: &str) {
        let account = self.reader().account(user_id).await.expect("read").expect("the account");
        self.append(world, user_id, Kind::Account(Account { deactivated: true, ..account })).await;
    }

    /// Adds an entry to a user's log.
    pub(crate) async fn append(&self, world: &World, user_id: &str, kind: Kind) {
        let body = UserEntry { user_id: user_id.to_owned(), kind: Some(kind) }.encode_to_vec().into();
        let pending = self.log(world.log_of(user_id)).propose(vec![Proposal { body, ..Proposal::default() }]).expect("proposed");
        pending.await.expect("committed");
    }

    /// How far a log is applied.
    pub(crate) fn applied(&self, log: LogId) -> LogSeq {
        self.log(log).applied()
    }

    /// What a request did.
    pub(crate) async fn did(&self, log: LogId, request_id: RequestId) -> Vec<Kind> {
        let entries = self.log(log).find_request(request_id).await.expect("found").unwrap_or_default();
        let kind = |body| UserEntry::decode(body).expect("an entry").kind.expect("of a kind");
        entries.into_iter().map(|entry| kind(entry.body)).collect()
    }

    fn log(&self, log: LogId) -> OwnedLog {
        self.owned.lock().expect("not poisoned").iter().find(|owned| owned.id() == log).expect("an owned log").clone()
    }

    /// Whether a token works.
    pub(crate) async fn works(&self, access_token: &str) -> bool {
        self.reader().access_token(&hash(access_token)).await.expect("read").is_some()
    }
}

pub(crate) fn answer<T>(result: Result<Response<T>, Status>) -> Result<T, ServiceError> {
    result.map(Response::into_inner).map_err(|status| from_status(&status))
}

pub(crate) fn hash(access_token: &str) -> TokenHash {
    TokenHash::of(access_token)
}

/// The Matrix code of a refusal and the kind of failure.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (String, ErrorCode) {
    let error = result.expect_err("a refusal");
    (error.errcode.map(|code| code.into_owned()).unwrap_or_default(), error.code)
}
