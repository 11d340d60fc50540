//! POST `/account/password`.

use axum::{extract::State, response::Response};
use banyan_http::{Json, MatrixError};
use serde_json::{Map, Value};

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{challenged, empty},
    },
};

/// Changes the caller's password, or says which stages are missing (401).
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    Ok(challenged(app.change_password(&requester, &body).await?.map(|()| empty())))
}
