//! GET `/joined_rooms`.

use axum::{Json, extract::State};
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::App;

/// The rooms the caller is joined to.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller) -> Reply {
    Ok(Json(json!({ "joined_rooms": app.joined_rooms(&requester).await? })))
}
