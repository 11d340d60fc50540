//! One trace over process borders: the W3C trace context in gRPC metadata, in bus messages and in log entries.
//!
//! Outgoing gRPC calls carry it by themselves (`banyan_proto::transport`); [`ServerTraceLayer`] takes it up.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use banyan_bus::Message;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use opentelemetry::{
    Context, KeyValue, global,
    metrics::Histogram,
    propagation::{Extractor, Injector},
    trace::{SpanContext, TraceContextExt},
};
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::{Instrument, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header that carries a trace context.
const TRACEPARENT: &str = "traceparent";

/// The headers that carry the current span to whoever gets a message; none if nothing is traced.
#[must_use]
pub fn headers() -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let context = Context::current();
    if context.has_active_span() {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Pairs(&mut headers)));
    }
    headers
}

/// Adds the current span to a bus message.
pub fn inject_message(message: &mut Message) {
    message.headers.extend(headers());
}

/// The trace context of the current span as a log entry keeps it; empty if nothing is traced.
#[must_use]
pub fn traceparent() -> String {
    traceparent_of(&Span::current())
}

/// Makes `span` part of the trace that a bus message belongs to.
pub fn continue_message(span: &Span, message: &Message) {
    if !message.headers.is_empty() {
        set_parent(span, &PairsRef(&message.headers));
    }
}

/// Makes `span` part of the trace that a log entry belongs to.
pub fn continue_traceparent(span: &Span, traceparent: &str) {
    if !traceparent.is_empty() {
        set_parent(span, &Single(traceparent));
    }
}

/// The W3C trace context of a span; empty if it is not part of a trace.
#[must_use]
pub fn traceparent_of(span: &Span) -> String {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return String::new();
    }
    let mut headers = Vec::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Pairs(&mut headers)));
    headers.into_iter().find_map(|(name, value)| (name == TRACEPARENT).then_some(value)).unwrap_or_default()
}

/// Whether a trace context belongs to a trace that is recorded.
#[must_use]
pub fn is_recorded(traceparent: &str) -> bool {
    !traceparent.is_empty() && context_of(traceparent).is_sampled()
}

/// Whether two trace contexts belong to one trace.
#[must_use]
pub fn is_same_trace(one: &str, other: &str) -> bool {
    !one.is_empty() && context_of(one).trace_id() == context_of(other).trace_id()
}

/// Links `span` to the span of a trace context.
pub fn link(span: &Span, traceparent: &str) {
    let context = context_of(traceparent);
    if context.is_valid() && !span.is_disabled() {
        span.add_link(context);
    }
}

fn context_of(traceparent: &str) -> SpanContext {
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&Single(traceparent)));
    context.span().span_context().clone()
}

/// Makes `span` part of the trace that an HTTP or gRPC request belongs to.
pub fn continue_headers(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        set_parent(span, &Headers(headers));
    }
}

fn set_parent(span: &Span, carrier: &dyn Extractor) {
    if !span.is_disabled() {
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(carrier));
        // Fails where no OpenTelemetry layer listens: then there is no trace to be part of.
        let _ = span.set_parent(parent);
    }
}

struct Pairs<'a>(&'a mut Vec<(String, String)>);

impl Injector for Pairs<'_> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.push((key.to_owned(), value));
        }
    }
}

struct PairsRef<'a>(&'a [(String, String)]);

impl Extractor for PairsRef<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

struct Single<'a>(&'a str);

impl Extractor for Single<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Gives every gRPC request that arrives a span within the caller's trace, and measures it.
#[derive(Clone, Debug)]
pub struct ServerTraceLayer {
    duration: Histogram<f64>,
}

impl Default for ServerTraceLayer {
    fn default() -> Self {
        let duration = global::meter("banyan")
            .f64_histogram("banyan_rpc_server_duration")
            .with_unit("s")
            .with_description("How long requests of other services took, by method and gRPC status")
            .with_boundaries(vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
            .build();
        Self { duration }
    }
}

impl<S> Layer<S> for ServerTraceLayer {
    type Service = ServerTrace<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerTrace { inner, duration: self.duration.clone() }
    }
}

/// The service that [`ServerTraceLayer`] makes.
#[derive(Clone, Debug)]
pub struct ServerTrace<S> {
    inner: S,
    duration: Histogram<f64>,
}

impl<S, A, B> Service<Request<A>> for ServerTrace<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // `/banyan.roomserver.v1.RoomServer/Send`
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span =
            tracing::info_span!("rpc", otel.name = method, otel.kind = "server", rpc.system = "grpc", rpc.grpc.status_code = Empty);
        continue_headers(&span, request.headers());
        let (duration, begun) = (self.duration.clone(), Instant::now());
        let answer = span.in_scope(|| self.inner.call(request));
        let measured: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
            let answer = answer.await;
            let status = answer.as_ref().ok().map_or("", |response| grpc_status(response.headers()));
            Span::current().record("rpc.grpc.status_code", status);
            let labels = [KeyValue::new("method", method), KeyValue::new("status", status.to_owned())];
            duration.record(begun.elapsed().as_secs_f64(), &labels);
            answer
        });
        Box::pin(measured.instrument(span))
    }
}

/// The status of an answer without a message is in its headers; one with a message is fine so far.
fn grpc_status(headers: &HeaderMap) -> &str {
    headers.get("grpc-status").and_then(|value| value.to_str().ok()).unwrap_or("0")
}
