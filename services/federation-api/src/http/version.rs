//! GET `/_matrix/federation/v1/version`.

use axum::Json;
use serde_json::{Value, json};

use super::tenant::Addressed;

/// Which program this is.
pub(super) async fn get(_: Addressed) -> Json<Value> {
    Json(json!({ "server": { "name": "Banyan", "version": env!("CARGO_PKG_VERSION") } }))
}
