//! POST `/rooms/{roomId}/upgrade`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Path};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    app::{App, upgrade::UpgradeWish},
    http::{extract::Caller, reply::Reply},
};

/// Replaces a room by one of another version.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(wish): Body<UpgradeWish>,
) -> Reply {
    let replacement = app.upgrade(&requester, room_id, wish).await?;
    Ok(Json(json!({ "replacement_room": replacement })))
}
