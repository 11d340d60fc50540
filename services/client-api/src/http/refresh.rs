//! POST `/refresh`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use serde::Deserialize;
use serde_json::json;

use super::{extract::Anyone, reply::Reply};
use crate::app::App;

/// The body.
#[derive(Deserialize)]
pub(crate) struct Refresh {
    refresh_token: String,
}

/// Gives new tokens.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, Body(body): Body<Refresh>) -> Reply {
    let session = app.refresh(&visitor, &body.refresh_token, "").await?;
    Ok(Json(json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "expires_in_ms": session.expires_in_ms,
    })))
}
