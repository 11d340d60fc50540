//! GET `/rooms/{roomId}/aliases`.

use axum::{Json, extract::State};
use banyan_http::Path;
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// The aliases of a room.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(room_id): Path<OwnedRoomId>) -> Reply {
    Ok(Json(json!({ "aliases": app.local_aliases(&requester, &room_id).await? })))
}
