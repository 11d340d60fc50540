//! POST `/account/deactivate`.

use axum::{Json, extract::State, response::Response};
use banyan_http::{Json as Body, MatrixError};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{extract::Caller, reply::challenged},
};

/// Ends the caller's account, or says which stages are missing (401). No identifier is bound at an identity server, so unbinding them
/// succeeds.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    Ok(challenged(app.deactivate(&requester, &body).await?.map(|()| Json(json!({ "id_server_unbind_result": "success" })))))
}
