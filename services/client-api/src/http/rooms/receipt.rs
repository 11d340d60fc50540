//! POST `/rooms/{roomId}/receipt/{receiptType}/{eventId}`.

use axum::extract::State;
use banyan_http::{MatrixError, OptionalJson, Path};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Map, Value};

use crate::{
    app::{App, receipts::ReceiptType},
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// Moves a receipt to an event.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, kind, event_id)): Path<(OwnedRoomId, String, OwnedEventId)>,
    OptionalJson(body): OptionalJson<Map<String, Value>>,
) -> Reply {
    let kind = ReceiptType::read(&kind)?;
    app.set_receipt(&requester, &room_id, (kind, thread_id(&body)?), &event_id).await?;
    Ok(empty())
}

/// The thread; empty for none.
fn thread_id(body: &Map<String, Value>) -> Result<String, MatrixError> {
    match body.get("thread_id") {
        None => Ok(String::new()),
        Some(Value::String(thread_id)) if !thread_id.is_empty() => Ok(thread_id.clone()),
        Some(_) => Err(MatrixError::invalid_param("thread_id must be a string that is not empty")),
    }
}
