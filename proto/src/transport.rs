//! One client type for local and remote calls: a tonic client over a [`Transport`], which is a network channel in a cluster and
//! the server itself in one process, without a socket.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use opentelemetry::{propagation::Injector, trace::TraceContextExt};
use tonic::body::Body;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};
use tracing::Instrument as _;

/// Where calls go. Cheap to clone.
#[derive(Clone)]
pub enum Transport {
    /// Over the network.
    Remote(tonic::transport::Channel),
    /// To a server in this process.
    Local(BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Remote(_) => "Transport::Remote",
            Self::Local(_) => "Transport::Local",
        })
    }
}

impl Transport {
    /// A transport to services in this process.
    #[must_use]
    pub fn local(routes: tonic::service::Routes) -> Self {
        let routes = routes.prepare();
        let service = tower::service_fn(move |request: Request<Body>| {
            let routes = routes.clone();
            async move { routes.oneshot(request).await }
        });
        Self::Local(BoxCloneSyncService::new(service))
    }
}

/// A call that never reached a service.
pub type TransportError = Box<dyn Error + Send + Sync>;

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Remote(channel) => channel.poll_ready(cx).map_err(Into::into),
            Self::Local(service) => service.poll_ready(cx).map_err(|never| match never {}),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/');
        let span = tracing::info_span!("call", otel.name = method, otel.kind = "client", rpc.system = "grpc");
        span.in_scope(|| inject_trace_context(request.headers_mut()));
        match self {
            Self::Remote(channel) => {
                let answer = channel.call(request);
                Box::pin(async move { answer.await.map_err(Into::into) }.instrument(span))
            }
            Self::Local(service) => {
                let answer = service.call(request);
                Box::pin(async move { answer.await.map_err(|never| match never {}) }.instrument(span))
            }
        }
    }
}

/// Adds the W3C trace context of the current span, if there is one, so that the trace goes on at the other end.
fn inject_trace_context(headers: &mut HeaderMap) {
    let context = opentelemetry::Context::current();
    if context.has_active_span() {
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Headers(headers)));
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
