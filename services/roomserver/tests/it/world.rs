//! A store, a bus, a roomserver with all its shards, and what clients would ask of it.

use std::{collections::BTreeMap, sync::Arc};

use banyan_bus::LocalBus;
use banyan_core::{Entropy, ErrorCode, LogId, RequestId, SeededEntropy, ServiceError, ShardCount, SystemClock};
use banyan_log::{LogConfig, Logs, Node, OwnedLog, Proposal};
use banyan_proto::{
    roomserver::{
        Caller, ChangeMembershipRequest, ClaimAliasRequest, CreateRoomRequest, ForgetRoomRequest, PrepareRoomRequest, Profile,
        ReleaseAliasRequest, SendEventRequest, change_membership_request::Action, room_service_client::RoomServiceClient,
    },
    status::from_status,
    transport::Transport,
    users::{Account, AccountDataChanged, ProfileChanged, UserEntry, account, user_entry},
};
use banyan_rooms::reader::{At, RoomReader};
use banyan_roomserver::{Roomserver, RoomserverConfig, RoomserverParts, TABLES};
use banyan_runtime::ShardHost;
use banyan_store::{Table, memory::MemoryStore};
use banyan_tenants::{ServerKey, Tenant, TenantConfig, Tenants};
use banyan_users::UserApplier;
use prost::Message as _;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};
use tonic::service::Routes;

pub(crate) const SHARDS: ShardCount = match ShardCount::new(4) {
    Some(shards) => shards,
    None => panic!("4 is a power of two"),
};

pub(crate) struct World {
    pub(crate) reader: RoomReader,
    pub(crate) store: MemoryStore,
    pub(crate) bus: Arc<LocalBus>,
    pub(crate) client: RoomServiceClient<Transport>,
    pub(crate) roomserver: Roomserver,
    pub(crate) owned: Vec<OwnedLog>,
    logs: Logs,
    clock: Arc<SystemClock>,
    entropy: Arc<SeededEntropy>,
    tenants: Tenants,
}

/// What a test asks to be sent.
#[derive(Clone, Default)]
pub(crate) struct Send {
    pub(crate) device: String,
    pub(crate) txn: String,
    pub(crate) request: Option<RequestId>,
    pub(crate) redacts: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(SystemClock::default());
        let bus = Arc::new(LocalBus::new());
        let entropy = Arc::new(SeededEntropy::new(7));
        let tables: Vec<&'static Table> =
            banyan_log::tables::ALL.iter().chain(TABLES).chain(banyan_users::TABLES).copied().collect();
        let store = MemoryStore::new(&tables, clock.clone(), 1).unwrap();
        let logs = Logs::new(Arc::new(store.clone()), bus.clone(), clock.clone(), entropy.clone(), LogConfig::default());
        let tenant = |name: &str| Tenant::new(TenantConfig::new(name), ServerKey::generate(&*entropy)).unwrap();
        let forgetting = TenantConfig { forget_rooms_upon_leave: true, ..TenantConfig::new("forgetting.test") };
        let forgetting = Tenant::new(forgetting, ServerKey::generate(&*entropy)).unwrap();
        let tenants = Tenants::new(vec![tenant("one.test"), tenant("two.test"), forgetting]).unwrap();
        let (roomserver, client) = start(&store, (&bus, &logs), &clock, &entropy, &tenants);
        let reader = RoomReader::new(Arc::new(store.clone()), 1 << 20);
        let mut world = Self { reader, store, bus, client, roomserver, owned: Vec::new(), logs, clock, entropy, tenants };
        world.open("n1").await;
        world
    }

    /// Lets the roomserver own all shards, as node `node`.
    pub(crate) async fn open(&mut self, node: &str) {
        let node = Node { id: node.to_owned(), addr: format!("{node}:1") };
        self.owned.clear();
        for shard in SHARDS.shards() {
            let log = self.logs.claim(LogId::rooms(shard), &node, self.roomserver.applier()).await.unwrap();
            self.roomserver.open(log.clone()).await.unwrap();
            self.owned.push(log);
        }
    }

    /// Another process on the same store takes everything over.
    pub(crate) async fn restart(&mut self) {
        let (roomserver, client) = start(&self.store, (&self.bus, &self.logs), &self.clock, &self.entropy, &self.tenants);
        for shard in SHARDS.shards() {
            self.roomserver.close(LogId::rooms(shard)).await;
        }
        self.roomserver = roomserver;
        self.client = client;
        self.open("n2").await;
    }

    /// Makes the account of a guest, as a userserver would.
    pub(crate) async fn add_guest(&self, user: &str) {
        self.add_account(user, Account { kind: account::Kind::Guest.into(), ..Account::default() }).await;
    }

    /// Makes an account, or changes it, as a userserver would.
    pub(crate) async fn add_account(&self, user: &str, account: Account) {
        self.user_entry(user, user_entry::Kind::Account(account)).await;
    }

    /// Sets global account data, as a userserver would.
    pub(crate) async fn account_data(&self, user: &str, kind: &str, content: Value) {
        let content = content.to_string().into_bytes().into();
        let data = AccountDataChanged { room_id: String::new(), r#type: kind.to_owned(), content };
        self.user_entry(user, user_entry::Kind::AccountData(data)).await;
    }

    /// Sets a field of a profile, or removes it (null), as a userserver would.
    pub(crate) async fn profile(&self, user: &str, field: &str, value: Value) {
        let value = if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
        let changed = ProfileChanged { field: field.to_owned(), value: value.into(), ..ProfileChanged::default() };
        self.user_entry(user, user_entry::Kind::Profile(changed)).await;
    }

    async fn user_entry(&self, user: &str, kind: user_entry::Kind) {
        let log = LogId::users(SHARDS.shard_of(user));
        let node = Node { id: "u".to_owned(), addr: "u:1".to_owned() };
        let log = self.logs.claim(log, &node, Arc::new(UserApplier)).await.unwrap();
        let body = UserEntry { user_id: user.to_owned(), kind: Some(kind) }.encode_to_vec();
        log.propose(vec![Proposal { body: body.into(), ..Proposal::default() }]).unwrap().await.unwrap();
    }

    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::generate(&*self.clock, &*self.entropy)
    }

    pub(crate) fn caller(&self, user: &str, device: &str, request: Option<RequestId>) -> Option<Caller> {
        let request = request.unwrap_or_else(|| self.request_id());
        Some(Caller {
            tenant: user.split_once(':').map(|(_, tenant)| tenant.to_owned()).unwrap_or_default(),
            user_id: user.to_owned(),
            device_id: device.to_owned(),
            request_id: request.to_bytes().to_vec().into(),
            guest: user.starts_with("@guest"),
        })
    }

    pub(crate) async fn create(&self, user: &str, body: Value) -> Result<OwnedRoomId, ServiceError> {
        self.create_as(user, body, None).await
    }

    pub(crate) async fn create_as(&self, user: &str, body: Value, alias: Option<&str>) -> Result<OwnedRoomId, ServiceError> {
        let mut content = body.get("creation_content").cloned().unwrap_or_else(|| json!({}));
        let version = body["room_version"].as_str().unwrap_or("12").to_owned();
        if body["preset"] == "trusted_private_chat" && version == "12" {
            content["additional_creators"] = body["invite"].clone();
        }
        let prepare = PrepareRoomRequest {
            caller: self.caller(user, "D", None),
            room_version: version,
            content: content.to_string().into_bytes().into(),
        };
        let mut client = self.client.clone();
        let prepared = client.prepare_room(prepare).await.map_err(|status| from_status(&status))?.into_inner();
        let request = CreateRoomRequest {
            caller: self.caller(user, "D", None),
            room_id: prepared.room_id,
            create_pdu: prepared.create_pdu,
            request: body.to_string().into_bytes().into(),
            displayname: "Someone".to_owned(),
            avatar_url: String::new(),
            alias: alias.unwrap_or_default().to_owned(),
            invited_profiles: Default::default(),
        };
        let created = client.create_room(request).await.map_err(|status| from_status(&status))?.into_inner();
        Ok(RoomId::parse(created.room_id).unwrap())
    }

    pub(crate) async fn act(&self, user: &str, action: Action, target: &str, room: &RoomId) -> Result<String, ServiceError> {
        self.act_with(user, action, target, room, json!(null)).await
    }

    pub(crate) async fn act_with(
        &self,
        user: &str,
        action: Action,
        target: &str,
        room: &RoomId,
        content: Value,
    ) -> Result<String, ServiceError> {
        let request = ChangeMembershipRequest {
            caller: self.caller(user, "D", None),
            room_id: room.to_string(),
            target: target.to_owned(),
            action: action.into(),
            profile: Some(Profile { displayname: "Name".to_owned(), avatar_url: String::new() }),
            content: if content.is_null() { Vec::new().into() } else { content.to_string().into_bytes().into() },
            ..ChangeMembershipRequest::default()
        };
        self.change(request).await
    }

    pub(crate) async fn change(&self, request: ChangeMembershipRequest) -> Result<String, ServiceError> {
        let answer = self.client.clone().change_membership(request).await;
        answer.map(|answer| answer.into_inner().event_id).map_err(|status| from_status(&status))
    }

    pub(crate) async fn join(&self, user: &str, room: &RoomId) {
        self.act(user, Action::Join, user, room).await.unwrap();
    }

    pub(crate) async fn leave(&self, user: &str, room: &RoomId) {
        self.act(user, Action::Leave, user, room).await.unwrap();
    }

    pub(crate) async fn send_with(
        &self,
        user: &str,
        room: &RoomId,
        (event_type, state_key): (&str, Option<&str>),
        content: Value,
        send: Send,
    ) -> Result<String, ServiceError> {
        let device = if send.device.is_empty() { "D" } else { &send.device };
        let request = SendEventRequest {
            caller: self.caller(user, device, send.request),
            room_id: room.to_string(),
            r#type: event_type.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content: content.to_string().into_bytes().into(),
            redacts: send.redacts,
            txn_scope: format!("send/{room}/{event_type}"),
            txn_id: send.txn,
        };
        let answer = self.client.clone().send_event(request).await;
        answer.map(|answer| answer.into_inner().event_id).map_err(|status| from_status(&status))
    }

    pub(crate) async fn message(&self, user: &str, room: &RoomId, body: &str) -> Result<String, ServiceError> {
        let content = json!({"msgtype": "m.text", "body": body});
        self.send_with(user, room, ("m.room.message", None), content, Send::default()).await
    }

    pub(crate) async fn set(
        &self,
        user: &str,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Result<String, ServiceError> {
        self.send_with(user, room, (event_type, Some(state_key)), content, Send::default()).await
    }

    pub(crate) async fn redact(&self, user: &str, room: &RoomId, target: &str) -> Result<String, ServiceError> {
        let send = Send { redacts: target.to_owned(), ..Send::default() };
        self.send_with(user, room, ("m.room.redaction", None), json!({"reason": "r"}), send).await
    }

    pub(crate) async fn forget(&self, user: &str, room: &RoomId) -> Result<(), ServiceError> {
        let request = ForgetRoomRequest { caller: self.caller(user, "D", None), room_id: room.to_string() };
        let answer = self.client.clone().forget_room(request).await;
        answer.map(|_| ()).map_err(|status| from_status(&status))
    }

    pub(crate) async fn claim(&self, user: &str, alias: &str, room: &RoomId) -> Result<(), ServiceError> {
        let caller = self.caller(user, "D", None);
        let request =
            ClaimAliasRequest { caller, alias: alias.to_owned(), room_id: room.to_string(), ..ClaimAliasRequest::default() };
        let answer = self.client.clone().claim_alias(request).await;
        answer.map(|_| ()).map_err(|status| from_status(&status))
    }

    pub(crate) async fn move_alias(&self, user: &str, alias: &str, from: &RoomId, to: &RoomId) -> Result<(), ServiceError> {
        let request = ClaimAliasRequest {
            caller: self.caller(user, "D", None),
            alias: alias.to_owned(),
            room_id: to.to_string(),
            from_room_id: from.to_string(),
        };
        let answer = self.client.clone().claim_alias(request).await;
        answer.map(|_| ()).map_err(|status| from_status(&status))
    }

    pub(crate) async fn release(&self, user: &str, alias: &str, room: &RoomId) -> Result<(), ServiceError> {
        let caller = self.caller(user, "D", None);
        let request = ReleaseAliasRequest { caller, alias: alias.to_owned(), room_id: room.to_string() };
        let answer = self.client.clone().release_alias(request).await;
        answer.map(|_| ()).map_err(|status| from_status(&status))
    }

    /// The content of current state by (type, state key).
    pub(crate) async fn state(&self, room: &RoomId) -> BTreeMap<(String, String), Value> {
        let events = self.reader.state(room, &At::Now).await.unwrap();
        let content = |text: String| serde_json::from_str(&text).unwrap();
        events.into_iter().map(|event| ((event.event_type.clone(), event.state_key.clone()), content(event.content()))).collect()
    }

    pub(crate) async fn content(&self, room: &RoomId, event_type: &str) -> Value {
        self.state(room).await.remove(&(event_type.to_owned(), String::new())).unwrap_or_default()
    }
}

fn start(
    store: &MemoryStore,
    (bus, logs): (&Arc<LocalBus>, &Logs),
    clock: &Arc<SystemClock>,
    entropy: &Arc<SeededEntropy>,
    tenants: &Tenants,
) -> (Roomserver, RoomServiceClient<Transport>) {
    let entropy: Arc<dyn Entropy> = entropy.clone();
    let parts = RoomserverParts {
        bus: bus.clone(),
        store: Arc::new(store.clone()),
        clock: clock.clone(),
        entropy,
        shards: SHARDS,
        tenants: tenants.clone(),
        logs: logs.clone(),
        config: RoomserverConfig::default(),
    };
    let roomserver = Roomserver::new(parts).unwrap();
    let client = RoomServiceClient::new(Transport::local(Routes::new(roomserver.service())));
    (roomserver, client)
}

/// The Matrix code of an error.
pub(crate) fn errcode<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    let error = result.unwrap_err();
    assert_ne!(error.code, ErrorCode::Internal, "{error}");
    error.errcode.map(|code| code.to_string()).unwrap_or_default()
}
