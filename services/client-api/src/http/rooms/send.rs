//! PUT `/rooms/{roomId}/send/{eventType}/{txnId}`.

use axum::{Json, extract::State};
use banyan_http::{Path, RawObject};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// Sends an event.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, kind, txn_id)): Path<(OwnedRoomId, String, String)>,
    RawObject(content): RawObject,
) -> Reply {
    let event_id = app.send(&requester, &room_id, &kind, &txn_id, content).await?;
    Ok(Json(json!({ "event_id": event_id })))
}
