//! GET `/voip/turnServer`.

use axum::Json;
use serde_json::{Value, json};

use super::extract::Caller;

/// No TURN servers: the members that the specification requires, without an address.
pub(crate) async fn turn_server(Caller(_): Caller) -> Json<Value> {
    Json(json!({ "username": "", "password": "", "uris": [], "ttl": 86_400 }))
}
