//! The admin listener: `/health/live`, `/health/ready`, `/metrics`. Plain HTTP, for operators and probes only.

use std::future::Future;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Health, Telemetry};

/// What the handlers need.
#[derive(Clone, Debug)]
struct Admin {
    health: Health,
    telemetry: Telemetry,
    /// Cancelled when the process is about to end.
    ending: CancellationToken,
}

/// The routes of the admin listener. `ending` is cancelled when the process is about to end and must get no more requests.
pub fn router(health: Health, telemetry: Telemetry, ending: CancellationToken) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { health, telemetry, ending })
}

/// Serves until `stop` resolves.
///
/// # Errors
/// When accepting fails for good.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// 200 as long as the process answers at all.
async fn live() -> Json<serde_json::Value> {
    Json(json!({ "live": true }))
}

/// 200 if every required part is ready, else 503; both with the state of all parts.
async fn ready(State(admin): State<Admin>) -> Response {
    let mut report = admin.health.report();
    report.ready &= !admin.ending.is_cancelled();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!(report);
    if admin.ending.is_cancelled() {
        body["ending"] = json!(true);
    }
    (status, Json(body)).into_response()
}

/// The Prometheus text format.
async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.telemetry.prometheus_text() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}
