//! What surrounds every handler of an API role.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use banyan_core::{Clock, Entropy, RequestId};
use http::{HeaderValue, Method};
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, UpDownCounter},
};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::{
    body::BodyLimit,
    client_addr::{Network, PeerAddr, client_addr},
    cors::cors,
    error::MatrixError,
    request::CURRENT,
};

/// What the edge needs to know.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Time of request ids and of durations.
    pub clock: Arc<dyn Clock>,
    /// Randomness of request ids.
    pub entropy: Arc<dyn Entropy>,
    /// The largest JSON body in bytes.
    pub body_limit: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[Network]>,
    /// Whether cross-origin headers are added and preflight requests answered (the client-server API).
    pub cors: bool,
}

/// A router with the edge around it.
pub trait EdgeLayers {
    /// Adds, from the outside in: request id, span and metrics; cross-origin headers; panics as 500; and 404 and 405 as the
    /// specification wants them. Routes that are added afterwards go without.
    #[must_use]
    fn with_edge(self, edge: Edge) -> Self;
}

impl<S: Clone + Send + Sync + 'static> EdgeLayers for Router<S> {
    fn with_edge(self, edge: Edge) -> Self {
        let has_cors = edge.cors;
        let mut router = self
            .fallback(|| async { MatrixError::unrecognized() })
            .method_not_allowed_fallback(|| async { MatrixError::wrong_method() })
            .layer(CatchPanicLayer::custom(answer_panic));
        if has_cors {
            router = router.layer(middleware::from_fn(cors));
        }
        router.layer(middleware::from_fn_with_state(Arc::new(Observer::new(edge)), observe))
    }
}

/// The edge's configuration and its instruments.
struct Observer {
    edge: Edge,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl Observer {
    fn new(edge: Edge) -> Self {
        let meter = opentelemetry::global::meter("banyan");
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Time from a request's head to the head of its answer, by method, route and status")
            .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
            .build();
        let active =
            meter.i64_up_down_counter("http.server.active_requests").with_description("Requests being answered, by route").build();
        Self { edge, duration, active }
    }
}

/// Counts a request as active until its handler has ended or was dropped with the connection.
struct Active(UpDownCounter<i64>, [KeyValue; 1]);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.add(-1, &self.1);
    }
}

/// Names the request and watches over it. The span holds the matched path, never the real one: that may hold a token or a name.
async fn observe(State(observer): State<Arc<Observer>>, mut request: Request, next: Next) -> Response {
    let Observer { edge, .. } = &*observer;
    let id = RequestId::generate(&*edge.clock, &*edge.entropy);
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let method = known_method(request.method());
    let peer = request.extensions().get::<PeerAddr>().copied();
    let client = client_addr(peer, request.headers(), &edge.trusted_proxies);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(BodyLimit(edge.body_limit));

    let span = tracing::info_span!(
        "http_request", otel.name = format!("{method} {route}"), otel.kind = "server", http.request.method = method,
        http.route = route, request_id = %id, http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    let started = edge.clock.monotonic();
    let active = Active(observer.active.clone(), [KeyValue::new("http.route", route.clone())]);
    observer.active.add(1, &active.1);
    let mut response = CURRENT.scope(id, next.run(request)).instrument(span.clone()).await;
    drop(active);

    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let elapsed = edge.clock.monotonic().saturating_sub(started);
    observer.record(method, route, status, elapsed);
    let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
    span.in_scope(|| tracing::debug!(status, elapsed_ms, client = %client.0, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

impl Observer {
    fn record(&self, method: &'static str, route: String, status: u16, elapsed: Duration) {
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        self.duration.record(elapsed.as_secs_f64(), &attributes);
    }
}

/// A method's name, from a closed set: metrics must not grow with what callers invent.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// 500 for a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    MatrixError::internal(format!("a handler panicked: {}", text.as_deref().unwrap_or("no message"))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        routing::{get, post},
    };
    use banyan_core::{SeededEntropy, SystemClock};
    use http::StatusCode;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    fn router() -> Router {
        let edge = Edge {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SeededEntropy::new(1)),
            body_limit: 1024,
            trusted_proxies: Arc::new([]),
            cors: true,
        };
        Router::new()
            .route("/a", get(|| async { "a" }).put(|| async { "b" }))
            .route(
                "/panic",
                post(|| async {
                    if true {
                        panic!("secret of the house")
                    }
                }),
            )
            .with_edge(edge)
    }

    async fn call(method: Method, path: &str) -> (Response, Value) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (parts, body) = router().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 4096).await.unwrap();
        (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_unrecognized() {
        let (response, body) = call(Method::GET, "/nowhere").await;
        assert_eq!((response.status(), &body["errcode"]), (StatusCode::NOT_FOUND, &Value::from("M_UNRECOGNIZED")));
        let (response, body) = call(Method::DELETE, "/a").await;
        assert_eq!((response.status(), &body["errcode"]), (StatusCode::METHOD_NOT_ALLOWED, &Value::from("M_UNRECOGNIZED")));
        let allow = response.headers()["allow"].to_str().unwrap();
        assert!(allow.contains("GET") && allow.contains("PUT"), "{allow}");
    }

    #[tokio::test]
    async fn every_answer_has_cross_origin_headers() {
        for (method, path, status) in [
            (Method::GET, "/a", 200),
            (Method::GET, "/nowhere", 404),
            (Method::DELETE, "/a", 405),
            (Method::POST, "/panic", 500),
            (Method::OPTIONS, "/a", 204),
            (Method::OPTIONS, "/nowhere", 204),
            (Method::OPTIONS, "/panic", 204),
        ] {
            let (response, _) = call(method, path).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
            let header = |name: &str| response.headers()[name].to_str().unwrap();
            assert_eq!(header("access-control-allow-origin"), "*");
            assert_eq!(header("access-control-allow-methods"), "GET, POST, PUT, DELETE, OPTIONS");
            assert_eq!(header("access-control-allow-headers"), "X-Requested-With, Content-Type, Authorization");
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_names_the_request_and_nothing_else() {
        let (response, body) = call(Method::POST, "/panic").await;
        assert_eq!(body["errcode"], "M_UNKNOWN");
        let text = body["error"].as_str().unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains(response.headers()["x-request-id"].to_str().unwrap()), "{text}");
    }
}
