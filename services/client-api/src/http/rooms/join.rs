//! POST `/rooms/{roomId}/join`.

use axum::{Json, extract::State};
use banyan_http::{OptionalJson, Path};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    app::{App, membership::JoinWish},
    http::{extract::Caller, reply::Reply},
};

/// Joins a room.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalJson(wish): OptionalJson<JoinWish>,
) -> Reply {
    let room_id = app.join(&requester, room_id.as_str(), wish).await?;
    Ok(Json(json!({ "room_id": room_id })))
}
