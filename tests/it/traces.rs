//! One message, one trace: from the sender's HTTP request over gRPC, the log and the bus to the other person's sync. `make trace`
//! prints the tree that docs/operations.md shows.

use std::time::Duration;

use banyan_testkit::{
    cassandra::{Cassandra, CassandraOptions},
    nats::Nats,
    process::until,
};
use banyan_tests::{
    Common, Homeserver, Node,
    cluster::{ROLES, nodes},
    otlp::Collector,
    spans::{Span, tree},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);
const SEND: &str = "PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}";
const SYNC: &str = "GET /_matrix/client/v3/sync";

/// Alice sends one message while Bob's sync waits.
async fn one_message(alice_at: &Homeserver, bob_at: &Homeserver) {
    let (alice, bob) = (alice_at.register("alice").await.unwrap(), bob_at.register("bob").await.unwrap());
    let room = alice.create_room(&json!({ "preset": "public_chat" })).await.unwrap();
    bob.join(&room).await.unwrap();
    let mut since = String::new();
    // What is still on its way from the join has to be over: the next answer is to be that to the message.
    loop {
        let answer = bob.sync(&since, if since.is_empty() { Duration::ZERO } else { Duration::from_secs(1) }, None).await.unwrap();
        let quiet = !since.is_empty() && answer["rooms"]["join"][&room].is_null();
        answer["next_batch"].as_str().unwrap().clone_into(&mut since);
        if quiet {
            break;
        }
    }
    let waiting = tokio::spawn(async move { bob.sync(&since, Duration::from_secs(30), None).await.unwrap() });
    // There is no telling from outside when a poll waits; one that came late would be answered by the same spans, without a wait.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let event = alice.send(&room, "1", "Can you follow me?").await.unwrap();
    let answer = waiting.await.unwrap();
    assert_eq!(answer["rooms"]["join"][&room]["timeline"]["events"][0]["event_id"], event);
}

/// The trace of the message, once all of it has come.
async fn trace_of_message(collector: &Collector) -> Vec<Span> {
    until("the whole trace", PATIENCE, async || {
        let root = collector.spans(|span| span.name == SEND).pop()?;
        let spans = collector.spans(|span| span.trace == root.trace);
        spans.iter().any(|span| span.name == "answer").then_some(spans)
    })
    .await
}

fn the<'a>(spans: &'a [Span], name: &str, kind: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name && span.kind == kind);
    let span = found.next().unwrap_or_else(|| panic!("no {kind} span {name:?}:\n{}", tree(spans)));
    assert!(found.next().is_none(), "several {kind} spans {name:?}:\n{}", tree(spans));
    span
}

/// Looks at every step of a message's trace; gives the poll that it ended.
async fn check(collector: &Collector, spans: &[Span]) -> Span {
    let send = "banyan.roomserver.v1.RoomService/SendEvent";
    let steps = [
        (SEND, "server", "client-api"),
        (send, "client", "client-api"),
        (send, "server", "roomserver"),
        ("append", "internal", "roomserver"),
        ("publish", "producer", "roomserver"),
        ("receive", "consumer", "sync"),
        ("answer", "internal", "sync"),
    ];
    let answer = the(spans, "answer", "internal");
    let mut parent = "";
    for (name, kind, role) in steps {
        // Every sync worker takes the message in; one answers the poll.
        let span = match name {
            "receive" => spans.iter().find(|span| span.id == answer.parent).unwrap(),
            _ => the(spans, name, kind),
        };
        assert_eq!((span.name.as_str(), span.parent.as_str()), (name, parent), "the parent of {name}:\n{}", tree(spans));
        assert_eq!(span.process.service, "banyan");
        assert!(span.process.roles.split(',').any(|own| own == role), "{name} in {}", span.process.roles);
        assert!(!span.process.instance.is_empty());
        parent = &span.id;
    }
    let append = the(spans, "append", "internal");
    for step in ["commit", "apply"] {
        assert_eq!(the(spans, step, "internal").parent, append.id, "{}", tree(spans));
    }

    // The poll is another trace. Its request and the worker's part are linked to the message, and the message to them.
    let polls = until("the poll's spans", PATIENCE, async || {
        let worker = collector.spans(|span| answer.is_linked_to(span)).pop()?;
        let request = collector.spans(|span| span.name == SYNC && span.trace == worker.trace).pop()?;
        Some((worker, request))
    });
    let (worker, request) = polls.await;
    assert_ne!(request.trace, answer.trace);
    let receive = spans.iter().find(|span| span.id == answer.parent).unwrap();
    assert!(worker.is_linked_to(receive), "{worker:?}");
    assert!(request.is_linked_to(receive), "{request:?}");
    assert_eq!((request.kind, request.process.roles.contains("client-api")), ("server", true));
    assert_eq!(worker.process, answer.process);
    assert!(request.start < answer.start, "it waited");
    request
}

fn told(collector: &Collector, spans: &[Span], poll: &Span) {
    println!("The trace of one message:\n{}", tree(spans));
    println!("and that of the poll it ended:\n{}", tree(&collector.spans(|span| span.trace == poll.trace)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_crosses_a_cluster() {
    let _turn = banyan_tests::cluster::turn().await;
    let collector = Collector::start().await;
    let (cassandra, nats) = tokio::join!(Cassandra::start(CassandraOptions::default()), Nats::start());
    let dir = tempfile::tempdir().unwrap();
    let common = Common::clustered(&cassandra.contact_point(), &Cassandra::fresh_keyspace(), &nats.url());
    let common = common.cheap_passwords().tenant("trace.test", true).with(&collector.config());
    let mut nodes = nodes(2, dir.path(), &common);
    nodes.iter_mut().for_each(|(_, node)| node.spawn());
    futures::future::join_all(nodes.iter_mut().map(|(_, node)| node.ready())).await;
    let clients: Vec<Homeserver> =
        nodes.iter().filter(|(role, _)| *role == "client-api").map(|(_, node)| node.homeserver()).collect();

    one_message(&clients[0], &clients[1]).await;
    let spans = trace_of_message(&collector).await;
    let poll = check(&collector, &spans).await;
    told(&collector, &spans, &poll);
    let sender = the(&spans, SEND, "server");
    assert_ne!(sender.process.instance, poll.process.instance, "Alice and Bob are at different processes");

    until("metrics of every process", PATIENCE, async || {
        let metrics = collector.metrics();
        let rpc = metrics.get("banyan_rpc_server_duration")?;
        let commit = metrics.get("banyan.log.commit")?;
        let http = metrics.get("http.server.request.duration")?;
        let of = |metric: &banyan_tests::otlp::Metric, role: &str| metric.processes.iter().filter(|own| own.roles == role).count();
        let all = ROLES.iter().all(|role| of(&metrics["banyan.store.operation.duration"], role) == 2);
        assert_eq!((commit.unit.as_str(), http.unit.as_str(), rpc.unit.as_str()), ("s", "s", "s"));
        (all && of(rpc, "roomserver") == 2 && of(commit, "roomserver") >= 1 && of(http, "client-api") == 2).then_some(())
    })
    .await;
    for (_, node) in &mut nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_through_one_process() {
    let collector = Collector::start().await;
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).cheap_passwords().tenant("trace.test", true);
    // What ends its lines with trace ids are the log's lines within a request.
    let logs = "[telemetry]\nlog_format = \"json\"\nlog_filter = \"warn,banyan=info,banyan_http=debug\"\n\n";
    let mut node = Node::new("banyan", dir.path(), &[], &common.with(&(logs.to_owned() + &collector.config())));
    node.start().await;
    one_message(&node.homeserver(), &node.homeserver()).await;
    let spans = trace_of_message(&collector).await;
    let poll = check(&collector, &spans).await;
    told(&collector, &spans, &poll);
    // The last spans are sent before the end.
    let whoami = "GET /_matrix/client/v3/account/whoami";
    node.homeserver().login("alice").await.unwrap().get("/_matrix/client/v3/account/whoami").await.unwrap();
    node.stop().await;
    assert_eq!(collector.spans(|span| span.name == whoami).len(), 1);
    json_lines(&node.output(), &the(&spans, SEND, "server").trace);
}

/// Every line of the log is an object with what it must have; a request's line names its trace.
fn json_lines(output: &str, trace: &str) {
    // What is for people goes to standard output, which is in the same file here.
    let lines: Vec<&str> = output.lines().filter(|line| line.starts_with('{')).collect();
    assert!(lines.len() > 10, "{output}");
    let lines: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for line in &lines {
        for member in ["timestamp", "level", "target"] {
            assert!(line[member].is_string(), "{member} is missing: {line}");
        }
    }
    assert!(
        lines.iter().any(|line| line["trace_id"] == trace && line["span_id"].is_string()),
        "no line of trace {trace}:\n{output}"
    );
}
