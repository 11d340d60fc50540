//! Calls find their owner, wherever it has gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use banyan_core::{Epoch, ErrorCode, LogId, ServiceError, ShardId};
use banyan_log::{LogConfig, Logs, Node};
use banyan_proto::{
    runtime::{
        PingRequest, PingResponse, PrepareShardRequest, PrepareShardResponse, TakeShardRequest, TakeShardResponse,
        YieldShardRequest, YieldShardResponse,
        node_service_client::NodeServiceClient,
        node_service_server::{NodeService, NodeServiceServer},
    },
    status::to_status,
    transport::Transport,
};
use banyan_runtime::{
    Discovery, NodeInfo, Peers, Role, ShardRouter,
    config::{GrpcConfig, OwnershipConfig},
    grpc,
};
use banyan_testkit::process::until;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    cluster::{Installation, PATIENCE, balanced, dead_addr, entropy},
    host::Nothing,
};

const LOG: LogId = LogId::rooms(ShardId(1));

type Answer = Box<dyn Fn(usize) -> Result<(), ServiceError> + Send + Sync>;

/// A process that answers pings as a test wants.
struct Fake {
    addr: String,
    calls: Arc<AtomicUsize>,
    _stop: DropGuard,
}

struct FakeService {
    name: String,
    calls: Arc<AtomicUsize>,
    answer: Answer,
}

#[tonic::async_trait]
impl NodeService for FakeService {
    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.answer)(call).map_err(|error| to_status(&error))?;
        Ok(Response::new(PingResponse { node_id: self.name.clone(), ..PingResponse::default() }))
    }

    async fn prepare_shard(&self, _: Request<PrepareShardRequest>) -> Result<Response<PrepareShardResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn take_shard(&self, _: Request<TakeShardRequest>) -> Result<Response<TakeShardResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn yield_shard(&self, _: Request<YieldShardRequest>) -> Result<Response<YieldShardResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

/// Starts one; `answer` says what the n-th call gets.
async fn fake(name: &str, answer: impl Fn(usize) -> Result<(), ServiceError> + Send + Sync + 'static) -> Fake {
    let calls = Arc::new(AtomicUsize::new(0));
    let service = FakeService { name: name.to_owned(), calls: calls.clone(), answer: Box::new(answer) };
    let listener = grpc::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let serving = stop.clone();
    let routes = Routes::new(NodeServiceServer::new(service));
    tokio::spawn(async move { grpc::serve(listener, routes, &GrpcConfig::default(), serving).await });
    Fake { addr, calls, _stop: stop.drop_guard() }
}

/// A process that only calls.
struct Caller {
    router: Arc<ShardRouter>,
    discovery: Arc<Discovery>,
    logs: Logs,
}

fn caller() -> Caller {
    let Installation { store, bus, clock } = Installation::new();
    let addr = dead_addr();
    let me = NodeInfo { id: "caller".to_owned(), addr: addr.clone(), roles: Vec::new(), draining: false, version: String::new() };
    let peers = Arc::new(Peers::new(addr, String::new(), GrpcConfig::default()));
    let bus = Arc::new(bus);
    let discovery = Discovery::new(me, bus.clone(), peers.clone(), clock.clone(), OwnershipConfig::default());
    let logs = Logs::new(Arc::new(store), bus, clock.clone(), entropy(), LogConfig::default());
    let router = Arc::new(ShardRouter::new(logs.clone(), discovery.clone(), peers, clock, entropy()));
    Caller { router, discovery, logs }
}

impl Caller {
    async fn call(&self) -> Result<String, ServiceError> {
        self.router.call(LOG, ping).await.map(|answer| answer.node_id)
    }

    fn knows(&self, fake: &Fake, name: &str, role: Role) {
        let roles = vec![role];
        self.discovery.heard(NodeInfo {
            id: name.to_owned(),
            addr: fake.addr.clone(),
            roles,
            draining: false,
            version: String::new(),
        });
    }

    /// Records an owner in the store.
    async fn record(&self, name: &str, addr: &str) {
        let node = Node { id: name.to_owned(), addr: addr.to_owned() };
        let owned = self.logs.claim(LOG, &node, Arc::new(Nothing)).await.unwrap();
        assert!(owned.epoch() > Epoch(0));
    }
}

async fn ping(transport: Transport) -> Result<Response<PingResponse>, Status> {
    NodeServiceClient::new(transport).ping(PingRequest {}).await
}

#[tokio::test]
async fn the_recorded_owner_is_called() {
    let (caller, owner) = (caller(), fake("owner", |_| Ok(())).await);
    caller.record("owner", &owner.addr).await;
    assert_eq!(caller.call().await.unwrap(), "owner");
}

#[tokio::test]
async fn before_the_first_claim_the_hash_decides() {
    let (caller, owner) = (caller(), fake("owner", |_| Ok(())).await);
    assert_eq!(caller.router.call_within(Duration::ZERO, LOG, ping).await.unwrap_err().code, ErrorCode::Unavailable);
    caller.knows(&owner, "owner", Role::Roomserver);
    assert_eq!(caller.call().await.unwrap(), "owner");
}

#[tokio::test]
async fn a_hint_at_the_owner_is_followed_and_remembered() {
    let (caller, new) = (caller(), fake("new", |_| Ok(())).await);
    let hint = new.addr.clone();
    let old = fake("old", move |_| Err(ServiceError::not_owner(Some(hint.clone())))).await;
    caller.router.set_owner(LOG, &old.addr);
    assert_eq!(caller.call().await.unwrap(), "new");
    assert_eq!(caller.call().await.unwrap(), "new");
    assert_eq!(old.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_a_hint_the_store_is_asked() {
    let (caller, new) = (caller(), fake("new", |_| Ok(())).await);
    let old = fake("old", |_| Err(ServiceError::not_owner(None))).await;
    caller.router.set_owner(LOG, &old.addr);
    caller.record("new", &new.addr).await;
    assert_eq!(caller.call().await.unwrap(), "new");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let caller = caller();
    for code in [ErrorCode::Unavailable, ErrorCode::Unknown, ErrorCode::NotOwner] {
        let owner = fake("owner", move |call| if call < 3 { Err(ServiceError::new(code, "not now")) } else { Ok(()) }).await;
        caller.record("owner", &owner.addr).await;
        caller.router.forget_owner(LOG);
        assert_eq!(caller.call().await.unwrap(), "owner");
        assert_eq!(owner.calls.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test]
async fn what_is_final_is_passed_on_as_it_is() {
    let error = ServiceError::forbidden("no").with_extra("{\"a\":1}".to_owned());
    let expected = error.clone();
    let (caller, owner) = (caller(), fake("owner", move |_| Err(error.clone())).await);
    caller.router.set_owner(LOG, &owner.addr);
    assert_eq!(caller.call().await.unwrap_err(), expected);
    assert_eq!(owner.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn in_the_end_it_is_unavailable() {
    let caller = caller();
    caller.record("gone", &dead_addr()).await;
    let error = caller.router.call_within(Duration::from_millis(300), LOG, ping).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("rm.1"), "{error}");
}

#[tokio::test]
async fn an_owner_that_hangs_is_left_when_another_has_the_shard() {
    let (caller, new) = (caller(), fake("new", |_| Ok(())).await);
    // Connections are accepted by the system, and nobody ever answers.
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging_addr = hanging.local_addr().unwrap().to_string();
    caller.record("hanging", &hanging_addr).await;
    let router = caller.router.clone();
    let call = tokio::spawn(async move { router.call(LOG, ping).await });
    let (_connection, _) = tokio::time::timeout(PATIENCE, hanging.accept()).await.unwrap().unwrap();
    assert!(!call.is_finished());
    caller.record("new", &new.addr).await;
    assert_eq!(call.await.unwrap().unwrap().node_id, "new");
}

#[tokio::test]
async fn a_dead_process_is_found_out_by_a_failed_call() {
    let caller = caller();
    let gone = NodeInfo {
        id: "gone".to_owned(),
        addr: dead_addr(),
        roles: vec![Role::Roomserver],
        draining: false,
        version: String::new(),
    };
    caller.discovery.heard(gone);
    let stop = CancellationToken::new();
    let running = tokio::spawn(caller.discovery.clone().run(stop.clone()));
    assert!(caller.router.call_within(Duration::from_millis(50), LOG, ping).await.is_err());
    until("the dead process to be off the list", PATIENCE, async || {
        caller.discovery.membership().get("gone").is_none().then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn replicas_are_chosen_by_key_and_the_next_one_helps_out() {
    let caller = caller();
    assert_eq!(caller.router.replica(Role::Sync, "@a:b").unwrap_err().code, ErrorCode::Unavailable);
    let (one, two) = (fake("one", |_| Ok(())).await, fake("two", |_| Ok(())).await);
    caller.knows(&one, "one", Role::Sync);
    caller.knows(&two, "two", Role::Sync);
    let ask = async |key: String| caller.router.call_replica(Role::Sync, &key, ping).await.unwrap().node_id;
    let mut seen = std::collections::BTreeMap::new();
    for n in 0..40 {
        let key = format!("@user{n}:b");
        let first = ask(key.clone()).await;
        assert_eq!(ask(key.clone()).await, first, "the same key finds the same replica");
        seen.insert(first, key);
    }
    assert_eq!(seen.len(), 2, "keys are shared out");
    drop(one);
    until("the other replica to help out", PATIENCE, async || (ask(seen["one"].clone()).await == "two").then_some(())).await;
    assert!(ping(caller.router.any(Role::Sync).unwrap()).await.is_ok() || two.calls.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn calls_of_a_process_to_itself_take_no_socket() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let (mine, other) = (*a.owned().first().unwrap(), *b.owned().first().unwrap());
    let kind = async |log| {
        let seen = parking_lot::Mutex::new(String::new());
        let answer = a.context.router.call(log, |transport| {
            *seen.lock() = format!("{transport:?}");
            ping(transport)
        });
        let node_id = answer.await.unwrap().node_id;
        (node_id, seen.into_inner())
    };
    assert_eq!(kind(mine).await, (a.context.node.id.clone(), "Transport::Local".to_owned()));
    assert_eq!(kind(other).await, (b.context.node.id.clone(), "Transport::Remote".to_owned()));
    assert!(matches!(a.context.router.any(Role::Roomserver).unwrap(), Transport::Local(_)));
}

#[tokio::test]
async fn calls_go_on_while_an_owner_leaves() {
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let router = a.context.router.clone();
    let log = *b.owned().first().unwrap();
    let stop = CancellationToken::new();
    let calling = tokio::spawn({
        let stop = stop.clone();
        async move {
            while !stop.is_cancelled() {
                router.call(log, ping).await.unwrap();
                // A call without a socket need not wait for anything.
                tokio::task::yield_now().await;
            }
            router.call(log, ping).await.unwrap().node_id
        }
    });
    b.end().await;
    stop.cancel();
    assert_eq!(calling.await.unwrap(), a.context.node.id);
}
