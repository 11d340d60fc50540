//! A bound on how long a handler may take.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use banyan_core::{ErrorCode, ServiceError};

use crate::error::MatrixError;

/// Answers 503 if the answer has not begun after the time in the state. For `axum::middleware::from_fn_with_state`.
pub async fn timeout(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("no answer after {limit:?}");
        MatrixError::from(ServiceError::new(ErrorCode::Unknown, detail)).into_response()
    })
}
