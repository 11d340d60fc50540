//! One trace over gRPC, with and without a socket, and over the bus.

use std::sync::OnceLock;

use banyan_bus::{Bus, Message};
use banyan_proto::{
    runtime::{PingRequest, node_service_client::NodeServiceClient},
    transport::Transport,
};
use banyan_runtime::telemetry::{propagation, trace_layer};
use banyan_testkit::process::until;
use futures::StreamExt;
use opentelemetry::{global, trace::TraceContextExt};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::cluster::{Installation, PATIENCE, balanced};

/// Where all spans of this test binary end up.
fn exporter() -> &'static InMemorySpanExporter {
    static EXPORTER: OnceLock<InMemorySpanExporter> = OnceLock::new();
    EXPORTER.get_or_init(|| {
        let exporter = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let subscriber = tracing_subscriber::registry().with(trace_layer(&tracers));
        tracing::subscriber::set_global_default(subscriber).expect("no other subscriber in this binary");
        global::set_text_map_propagator(TraceContextPropagator::new());
        exporter
    })
}

/// Waits for the finished span of this name that is a child of `parent`.
async fn child_of(parent: &opentelemetry::trace::SpanContext, name: &str) -> SpanData {
    until("the span at the other end", PATIENCE, async || {
        let spans = exporter().get_finished_spans().expect("spans");
        let fits = |span: &SpanData| {
            span.name == name && span.parent_span_id == parent.span_id() && span.span_context.trace_id() == parent.trace_id()
        };
        spans.into_iter().find(fits)
    })
    .await
}

fn context_of(span: &tracing::Span) -> opentelemetry::trace::SpanContext {
    span.context().span().span_context().clone()
}

async fn ping(transport: Transport) {
    NodeServiceClient::new(transport).ping(PingRequest {}).await.expect("an answer");
}

#[tokio::test]
async fn a_trace_crosses_grpc() {
    exporter();
    let installation = Installation::new();
    let (a, b) = (installation.start().await, installation.start().await);
    balanced(&[&a, &b]).await;
    let remote = a.context.peers.get(b.addr()).unwrap();
    assert!(matches!(remote, Transport::Remote(_)));
    let local = a.context.peers.get(a.addr()).unwrap();
    assert!(matches!(local, Transport::Local(_)));
    for transport in [remote, local] {
        let span = tracing::info_span!(target: "banyan_test", "caller");
        let parent = context_of(&span);
        assert!(parent.is_valid());
        ping(transport).instrument(span).await;
        let call = child_of(&parent, "banyan.runtime.v1.NodeService/Ping").await;
        assert_eq!(call.span_kind, opentelemetry::trace::SpanKind::Client);
        let there = child_of(&call.span_context, "banyan.runtime.v1.NodeService/Ping").await;
        assert_eq!(there.span_kind, opentelemetry::trace::SpanKind::Server);
    }
}

#[tokio::test]
async fn a_trace_crosses_the_bus() {
    exporter();
    let installation = Installation::new();
    let mut subscription = installation.bus.subscribe("rm.1").await.unwrap();
    let span = tracing::info_span!(target: "banyan_test", "publisher");
    let parent = context_of(&span);
    async {
        let mut message = Message { subject: "rm.1".to_owned(), headers: Vec::new(), payload: "hint".into() };
        propagation::inject_message(&mut message);
        installation.bus.publish(message).await.unwrap();
    }
    .instrument(span)
    .await;
    let message = subscription.next().await.unwrap();
    assert!(message.headers.iter().any(|(name, _)| name == "traceparent"), "{message:?}");
    let receiver = tracing::info_span!(target: "banyan_test", "receiver");
    propagation::continue_message(&receiver, &message);
    receiver.in_scope(|| ());
    drop(receiver);
    child_of(&parent, "receiver").await;
}

#[tokio::test]
async fn a_trace_goes_on_from_a_log_entry() {
    exporter();
    let span = tracing::info_span!(target: "banyan_test", "proposer");
    let (parent, traceparent) = (context_of(&span), span.in_scope(propagation::traceparent));
    drop(span);
    assert!(traceparent.contains(&parent.trace_id().to_string()), "{traceparent}");
    let follower = tracing::info_span!(target: "banyan_test", "follower");
    propagation::continue_traceparent(&follower, &traceparent);
    drop(follower);
    child_of(&parent, "follower").await;
}

#[tokio::test]
async fn without_a_span_nothing_is_sent() {
    exporter();
    assert!(propagation::headers().is_empty());
    assert_eq!(propagation::traceparent(), "");
}
