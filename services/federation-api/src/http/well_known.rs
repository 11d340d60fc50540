//! GET `/.well-known/matrix/server`.

use axum::Json;
use banyan_http::MatrixError;
use serde_json::{Value, json};

use super::tenant::Addressed;

/// Where other servers reach this one; 404 where it is not configured.
pub(super) async fn server(Addressed(tenant): Addressed) -> Result<Json<Value>, MatrixError> {
    let server = tenant.config().federation_server.as_deref().ok_or_else(|| MatrixError::not_found("Not configured"))?;
    Ok(Json(json!({ "m.server": server })))
}
