//! GET and POST `/_synapse/admin/v1/register`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use serde_json::json;

use super::{extract::Anyone, login::session_body, reply::Reply};
use crate::app::{App, register_by_secret::SecretRegistration};

/// A nonce to sign.
pub(crate) async fn nonce(State(app): State<App>, Anyone(visitor): Anyone) -> Reply {
    Ok(Json(json!({ "nonce": app.registration_nonce(&visitor).await? })))
}

/// Makes the account that the signed request asks for.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, Body(body): Body<SecretRegistration>) -> Reply {
    let session = app.register_by_secret(&visitor, body).await?;
    Ok(Json(session_body(&visitor.tenant, session)))
}
