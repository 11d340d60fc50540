//! GET `/capabilities`.

use axum::Json;
use serde_json::{Value, json};

use super::extract::Caller;
use crate::app::capabilities::capabilities;

/// What this server can do.
pub(crate) async fn get(Caller(requester): Caller) -> Json<Value> {
    Json(json!({ "capabilities": capabilities(&requester.visitor.tenant) }))
}
