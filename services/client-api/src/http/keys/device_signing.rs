//! POST `/keys/device_signing/upload`.

use axum::{extract::State, response::Response};
use banyan_http::{Json as Body, MatrixError};
use serde_json::{Map, Value};

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{challenged, empty},
    },
};

/// Publishes the caller's cross-signing keys, or says which stages are missing (401).
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    Ok(challenged(app.upload_cross_signing_keys(&requester, &body).await?.map(|()| empty())))
}
