//! PUT `/rooms/{roomId}/redact/{eventId}/{txnId}`.

use axum::{Json, extract::State};
use banyan_http::{OptionalJson, Path};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::json;

use crate::{
    app::{App, membership::Reason},
    http::{extract::Caller, reply::Reply},
};

/// Redacts an event.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id, txn_id)): Path<(OwnedRoomId, OwnedEventId, String)>,
    OptionalJson(body): OptionalJson<Reason>,
) -> Reply {
    let event_id = app.redact(&requester, &room_id, &event_id, &txn_id, body.reason).await?;
    Ok(Json(json!({ "event_id": event_id })))
}
