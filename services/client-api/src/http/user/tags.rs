//! `/user/{userId}/rooms/{roomId}/tags`.

use axum::{Json, extract::State};
use banyan_http::{Path, RawObject};
use bytes::Bytes;
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::json;

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// All tags of a room.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, room_id)): Path<(OwnedUserId, OwnedRoomId)>,
) -> Reply {
    Ok(Json(json!({ "tags": app.tags(&requester, &user_id, &room_id).await? })))
}

/// Sets a tag.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, room_id, tag)): Path<(OwnedUserId, OwnedRoomId, String)>,
    RawObject(content): RawObject,
) -> Reply {
    app.set_tag(&requester, (&user_id, &room_id, tag), content).await?;
    Ok(empty())
}

/// Removes a tag.
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, room_id, tag)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Reply {
    app.set_tag(&requester, (&user_id, &room_id, tag), Bytes::new()).await?;
    Ok(empty())
}
