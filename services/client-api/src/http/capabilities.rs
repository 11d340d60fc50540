//! GET `/capabilities`.

use axum::{Json, extract::State};
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::{App, capabilities::capabilities};

/// What this server can do.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller) -> Reply {
    let admin = app.is_admin(&requester).await?;
    Ok(Json(json!({ "capabilities": capabilities(&requester.visitor.tenant, admin, requester.oauth) })))
}
