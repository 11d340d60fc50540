//! POST `/delete_devices`.

use axum::{extract::State, response::Response};
use banyan_core::ServiceError;
use banyan_http::{Json as Body, MatrixError};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    extract::Caller,
    reply::{challenged, empty},
};
use crate::app::App;

/// Ends several devices of the caller, or says which stages are missing (401).
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    let devices = body.get("devices").ok_or_else(|| ServiceError::bad_json("devices is missing"))?;
    let devices = Vec::deserialize(devices).map_err(|error| ServiceError::bad_json(format!("devices: {error}")))?;
    let outcome = app.delete_devices(&requester, "POST /_matrix/client/v3/delete_devices", devices, &body).await?;
    Ok(challenged(outcome.map(|()| empty())))
}
