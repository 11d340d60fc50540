//! `/.well-known/matrix/client`, `/.well-known/matrix/support` and `/.well-known/matrix/server`.

use axum::Json;
use banyan_http::MatrixError;
use serde_json::{Value, json};

use super::{extract::Anyone, reply::Reply};

/// Where clients find this server; 404 where it is not configured.
pub(crate) async fn client(Anyone(visitor): Anyone) -> Reply {
    let base_url = visitor.tenant.config().base_url.as_deref().ok_or_else(|| MatrixError::not_found("Not configured"))?;
    Ok(Json(json!({ "m.homeserver": { "base_url": base_url } })))
}

/// Who helps; 404 where it is not configured.
pub(crate) async fn support(Anyone(visitor): Anyone) -> Reply {
    let support = visitor.tenant.config().support.as_ref().ok_or_else(|| MatrixError::not_found("Not configured"))?;
    let mut body = serde_json::to_value(support).map_err(|error| MatrixError::internal(error.to_string()))?;
    // An empty list says nothing.
    if body["contacts"].as_array().is_some_and(Vec::is_empty)
        && let Some(body) = body.as_object_mut()
    {
        body.remove("contacts");
    }
    Ok(Json::<Value>(body))
}

/// Where other servers find this one; 404 where it is not configured.
pub(crate) async fn server(Anyone(visitor): Anyone) -> Reply {
    let server = visitor.tenant.config().federation_server.as_deref().ok_or_else(|| MatrixError::not_found("Not configured"))?;
    Ok(Json(json!({ "m.server": server })))
}
