//! PUT `/rooms/{roomId}/send/{eventType}/{txnId}`.

use axum::{Json, extract::State};
use banyan_http::{MatrixError, Path, Query, RawObject};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    app::{App, delayed_events::Delayed},
    http::{delayed_events::Delay, extract::Caller, reply::Reply},
};

/// Sends an event, at once or (MSC4140) later.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, kind, txn_id)): Path<(OwnedRoomId, String, String)>,
    Query(delay): Query<Delay>,
    content: Result<RawObject, MatrixError>,
) -> Reply {
    if let Some(delay) = delay.given()? {
        let transaction = Delayed::transaction(&requester, &room_id, &kind, &txn_id);
        // Of a repetition only the transaction counts.
        if content.is_err()
            && let Some(delay_id) = app.scheduled_before(&requester, &transaction).await?
        {
            return Ok(Json(json!({ "delay_id": delay_id })));
        }
        let RawObject(content) = content?;
        let event = Delayed { room_id, kind, state_key: None, content, delay, transaction };
        return Ok(Json(json!({ "delay_id": app.schedule(&requester, event).await? })));
    }
    let RawObject(content) = content?;
    let event_id = app.send(&requester, &room_id, &kind, &txn_id, content).await?;
    Ok(Json(json!({ "event_id": event_id })))
}
